/** What `docker network create -o NAME=VALUE` may say. */
import { DroverError } from '@network/net'
import { suggest } from '@network/datastore/model'

export interface NetworkOptions {
  /** A Network that is there already and that this Docker network stands for on this host. */
  readonly network?: string
  readonly profile?: string
  readonly pool?: string
  readonly mtuBytes?: number
}

const KNOWN = ['network', 'profile', 'pool', 'mtu'] as const
/** Docker's own word for the MTU. */
const ALIASES: Readonly<Record<string, string>> = { 'com.docker.network.driver.mtu': 'mtu' }

/** @throws DroverError 'invalid-request' that names the option and what there is */
export function readNetworkOptions(given: Readonly<Record<string, string>>): NetworkOptions {
  const options = Object.entries(given).map(([name, value]) => [ALIASES[name] ?? name, value] as const)
  for (const [name] of options) {
    if ((KNOWN as readonly string[]).includes(name)) continue
    const close = suggest(name, KNOWN)
    throw invalid(
      `There is no option '${name.slice(0, 80)}' of a drover network${close === undefined ? '.' : `; did you mean '${close}'?`}`,
      `The options are ${KNOWN.join(', ')}.`,
    )
  }
  const { mtu, network, profile, pool } = Object.fromEntries(options)
  const mtuBytes = mtu === undefined ? undefined : Number(mtu)
  if (mtuBytes !== undefined && !(Number.isInteger(mtuBytes) && mtuBytes >= 68 && mtuBytes <= 65535)) {
    throw invalid(`Option mtu '${(mtu ?? '').slice(0, 80)}' is not a number from 68 to 65535.`)
  }
  return {
    ...(network === undefined ? {} : { network }),
    ...(profile === undefined ? {} : { profile }),
    ...(pool === undefined ? {} : { pool }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
  }
}

function invalid(message: string, remedy?: string): DroverError {
  return new DroverError('invalid-request', message, remedy === undefined ? {} : { remedy })
}
