/** Whether two lists are of the same items in the same order. */
export function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === b || (a?.length === b?.length && a?.every((item, place) => item === b?.[place]) === true)
}
