import { networkInterfaces } from 'node:os'
import { type Address, type Clock, addressFromBytes, formatAddress } from '@network/net'
import { plainAddress } from './zoned-address.ts'

/** An address that a device of this host has. */
export interface HostAddress {
  readonly device: string
  /** Without zone. */
  readonly address: string
  /** Length of the network that it is on. */
  readonly length: number
}

/** An address of this host, read. */
export interface OwnAddress {
  readonly device: string
  readonly address: Address
  readonly length: number
}

/** For so long what was read holds: hundreds of sessions may come up at once. */
const validMs = 100

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

/** This host's own addresses, as they were when a session last came up. */
export class OwnAddresses {
  readonly #read: () => readonly HostAddress[]
  readonly #clock: Clock
  #readAt: number | undefined
  #byText = new Map<string, OwnAddress>()
  #byDevice = new Map<string, OwnAddress[]>()

  constructor(read: () => readonly HostAddress[], clock: Clock) {
    this.#read = read
    this.#clock = clock
  }

  /** A session is up from an address of ours: what is answered from now on includes it. */
  refresh(local: Address | undefined): void {
    const known = local === undefined || this.#byText.has(formatAddress(local))
    const age = this.#readAt === undefined ? Infinity : this.#clock.monotonic() - this.#readAt
    if (!known || age >= validMs) this.#readAll()
  }

  /** The device that has an address; if several have it, the first one. */
  deviceOf(address: Address): string | undefined {
    this.#needed()
    return this.#byText.get(formatAddress(address))?.device
  }

  /** All addresses of a device. */
  on(device: string): readonly OwnAddress[] {
    this.#needed()
    return this.#byDevice.get(device) ?? []
  }

  /** Whether 4 or 16 bytes are an address of ours. */
  has(bytes: Uint8Array): boolean {
    this.#needed()
    const address = addressFromBytes(bytes, 0, bytes.length === 4 ? 'ipv4' : 'ipv6')
    return this.#byText.has(formatAddress(address))
  }

  #needed(): void {
    if (this.#readAt === undefined) this.#readAll()
  }

  #readAll(): void {
    this.#readAt = this.#clock.monotonic()
    this.#byText = new Map()
    this.#byDevice = new Map()
    for (const { device, address: text, length } of this.#read()) {
      const address = plainAddress(text)
      if (address === undefined) continue
      const own = { device, address, length }
      const key = formatAddress(address)
      if (!this.#byText.has(key)) this.#byText.set(key, own)
      const onDevice = this.#byDevice.get(device)
      if (onDevice === undefined) this.#byDevice.set(device, [own])
      else onDevice.push(own)
    }
  }
}
