import type { RuleOrigin } from '@network/policy'

/** Why a rule, or all of a family, is not in the kernel as desired. */
export interface PolicyFault {
  /** 'ipv4 filter drv-pi-web 3', or a set's name. */
  readonly key: string
  readonly code: 'refused' | 'full' | 'failed'
  /** A sentence with policy, rule, line and the program's words. */
  readonly message: string
  readonly remedy?: string
  readonly origin?: RuleOrigin
}
