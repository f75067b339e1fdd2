/** Networks as resources write them, read. */
import { type Family, formatPrefix, parsePrefix, type Prefix, prefixFamily } from '@network/net'

/** Prefixes, a bare address as one of full length; what is none is left out. */
export function netsOf(texts: readonly string[]): Prefix[] {
  return texts.flatMap((text) => {
    const parsed = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? '128' : '32'}`)
    return parsed.ok ? parsed.value : []
  })
}

/** The first address of this family. */
export function addressOf(nets: readonly Prefix[], family: Family): string | undefined {
  const net = nets.find((one) => prefixFamily(one) === family)
  return net === undefined ? undefined : formatPrefix(net).split('/')[0]
}
