import { networkInterfaces } from 'node:os'
import { type HostAddress } from './options.ts'

/** The addresses that the kernel's devices have now, in this process's network namespace. */
export function hostAddresses(): readonly HostAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).map(({ address, cidr }) => ({
      device,
      address: address.split('%')[0] ?? address,
      length: Number(cidr?.split('/')[1] ?? (address.includes(':') ? 128 : 32)),
    })),
  )
}
