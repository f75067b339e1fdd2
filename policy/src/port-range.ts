/** Both ends are included. */
export interface PortRange {
  readonly from: number
  readonly to: number
}
