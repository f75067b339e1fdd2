import { type Metadata } from './metadata.ts'
import { type Schema } from './schema.ts'

/** One fault of a resource: where, what stands there, what was expected. */
export interface FieldFault {
  /** 'unknown-field': the schema has no such field; everything else is 'invalid'. */
  readonly code: 'unknown-field' | 'invalid'
  /** 'spec.rules[2].destination.ports[0]' */
  readonly path: string
  /** The same as keys and indices, for finding the place in a document. */
  readonly segments: readonly (string | number)[]
  readonly value: unknown
  /** What belongs there, as it follows 'expected'. */
  readonly expected: string
  /** A whole sentence: path, value, what was expected; without secrets. */
  readonly message: string
}

/** Notes a fault that a schema can't see. `segments` begin below the resource: ['spec', 'cidr']. */
export type ReportFault = (
  segments: readonly (string | number)[],
  value: unknown,
  expected: string,
  reason?: string,
) => void

/** Everything that Drover knows about one kind of resource. */
export interface KindDefinition<Spec = unknown, Status = unknown, Name extends string = string> {
  readonly kind: Name
  /** The segment of its keys, and a word that the command line takes: 'ippools'. */
  readonly plural: string
  /** Further words that the command line takes. */
  readonly aliases: readonly string[]
  readonly namespaced: boolean
  readonly description: string
  readonly spec: Schema<Spec>
  readonly status: Schema<Status> | undefined
  /** Fields of spec that may never change after creation. */
  readonly immutable: readonly (keyof Spec & string)[]
  /** Which names are allowed beyond the rule for all names. */
  readonly names: NameRule
  /** The name that follows from the spec, where a kind has no name of its own choice. */
  readonly nameOf: ((spec: Spec) => string) | undefined
  /** Rules between fields. Called when every field alone is good; may fill in what depends on other fields. */
  readonly refine: ((spec: Spec, report: ReportFault, metadata: Metadata) => void) | undefined
}

/** Any name; only `default`; `default` and `node.<node name>`; or as `nameOf` says. */
export type NameRule = 'any' | 'default' | 'default-or-node' | 'derived'

/** Fills in what most kinds share. `Name` stays literal, so that KindName is the union of all. */
export function defineKind<Spec, Status = never>() {
  return <const Name extends string>(definition: {
    kind: Name
    plural: string
    aliases?: readonly string[]
    namespaced?: boolean
    description: string
    spec: Schema<Spec>
    status?: Schema<Status>
    immutable?: readonly (keyof Spec & string)[]
    names?: NameRule
    nameOf?: (spec: Spec) => string
    refine?: (spec: Spec, report: ReportFault, metadata: Metadata) => void
  }): KindDefinition<Spec, Status, Name> => ({
    kind: definition.kind,
    plural: definition.plural,
    aliases: definition.aliases ?? [],
    namespaced: definition.namespaced ?? false,
    description: definition.description,
    spec: definition.spec,
    status: definition.status,
    immutable: definition.immutable ?? [],
    names: definition.names ?? 'any',
    nameOf: definition.nameOf,
    refine: definition.refine,
  })
}
