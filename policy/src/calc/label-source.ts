/**
 * Where labels come from. Everything that has the same labels of its own, the same profiles, namespace and service
 * account shares one source, so that ten thousand endpoints of one deployment are one map, and a profile whose labels
 * change touches sources and not endpoints.
 */
import {
  isReservedLabel,
  NAMESPACE_LABEL,
  NAMESPACE_NAME,
  namespaceLabel,
  ORCHESTRATOR_LABEL,
  SERVICE_ACCOUNT_LABEL,
  SERVICE_ACCOUNT_NAME,
  serviceAccountLabel,
} from './scope.ts'

export interface SourceDescription {
  readonly labels: Readonly<Record<string, string>>
  /** Profiles, the first wins. */
  readonly profiles: readonly string[]
  readonly namespace: string | undefined
  readonly serviceAccount: string | undefined
  readonly orchestrator: string | undefined
}

export interface LabelSource extends SourceDescription {
  /** All labels that hold, those of namespace and service account under their own names. Replaced when it changes. */
  readonly effective: ReadonlyMap<string, string>
}

interface Interned extends LabelSource {
  effective: ReadonlyMap<string, string>
  readonly key: string
  uses: number
}

type Labels = Readonly<Record<string, string>>

export class LabelSources {
  readonly #sources = new Map<string, Interned>()
  readonly #byProfile = new Map<string, Set<Interned>>()
  readonly #labelsOfProfiles = new Map<string, Labels>()

  /** The source of this description; one `release` for each call. */
  acquire(description: SourceDescription): LabelSource {
    const key = keyOf(description)
    let source = this.#sources.get(key)
    if (source === undefined) {
      source = { ...description, key, effective: this.#effective(description), uses: 0 }
      this.#sources.set(key, source)
      for (const profile of profilesOf(source)) {
        const sources = this.#byProfile.get(profile)
        if (sources === undefined) this.#byProfile.set(profile, new Set([source]))
        else sources.add(source)
      }
    }
    source.uses++
    return source
  }

  release(source: LabelSource): void {
    const interned = source as Interned
    if (--interned.uses > 0) return
    this.#sources.delete(interned.key)
    for (const profile of profilesOf(interned)) {
      const sources = this.#byProfile.get(profile)
      sources?.delete(interned)
      if (sources?.size === 0) this.#byProfile.delete(profile)
    }
  }

  /** What a profile gives to those who name it. Answers the sources whose labels changed by that. */
  setProfile(profile: string, labels: Labels | undefined): LabelSource[] {
    if (labels === undefined) this.#labelsOfProfiles.delete(profile)
    else this.#labelsOfProfiles.set(profile, labels)
    const changed: LabelSource[] = []
    for (const source of this.#byProfile.get(profile) ?? []) {
      const effective = this.#effective(source)
      if (sameMap(effective, source.effective)) continue
      source.effective = effective
      changed.push(source)
    }
    return changed
  }

  #effective(source: SourceDescription): ReadonlyMap<string, string> {
    const effective = new Map<string, string>()
    const take = (labels: Labels | undefined): void => {
      for (const [label, value] of Object.entries(labels ?? {})) {
        if (!isReservedLabel(label) && !effective.has(label)) effective.set(label, value)
      }
    }
    take(source.labels)
    for (const profile of source.profiles) take(this.#labelsOfProfiles.get(profile))
    const { namespace, serviceAccount, orchestrator } = source
    if (orchestrator !== undefined) effective.set(ORCHESTRATOR_LABEL, orchestrator)
    if (namespace === undefined) return effective
    effective.set(NAMESPACE_LABEL, namespace)
    for (const [label, value] of Object.entries(this.#labelsOfProfiles.get(`kns.${namespace}`) ?? {})) {
      if (label.startsWith('pcns.')) effective.set(namespaceLabel(label.slice(5)), value)
    }
    effective.set(NAMESPACE_NAME, namespace)
    if (serviceAccount === undefined) return effective
    effective.set(SERVICE_ACCOUNT_LABEL, serviceAccount)
    const ofAccount = this.#labelsOfProfiles.get(`ksa.${namespace}.${serviceAccount}`)
    for (const [label, value] of Object.entries(ofAccount ?? {})) {
      if (label.startsWith('pcsa.')) effective.set(serviceAccountLabel(label.slice(5)), value)
    }
    effective.set(SERVICE_ACCOUNT_NAME, serviceAccount)
    return effective
  }
}

/** Every profile whose labels can reach the source. */
function profilesOf({ profiles, namespace, serviceAccount }: SourceDescription): ReadonlySet<string> {
  const all = new Set(profiles)
  if (namespace !== undefined) all.add(`kns.${namespace}`)
  if (namespace !== undefined && serviceAccount !== undefined) all.add(`ksa.${namespace}.${serviceAccount}`)
  return all
}

function keyOf(description: SourceDescription): string {
  const { labels, profiles, namespace, serviceAccount, orchestrator } = description
  const names = Object.keys(labels).sort()
  const own = names.map((name) => [name, labels[name]])
  return JSON.stringify([own, profiles, namespace, serviceAccount, orchestrator])
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) if (b.get(key) !== value) return false
  return true
}
