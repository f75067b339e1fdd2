import { readFileSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { type ParsedResource, parseResources } from '@network/datastore/model'
import { DroverError } from '@network/net'
import { UsageError } from './output/failure.ts'
import type { World } from './world.ts'

/** What the files of `-f` hold, in their order. */
export interface ResourceFiles {
  resources: readonly ParsedResource[]
  /** Sentences that begin with the place. */
  warnings: readonly string[]
}

const STANDARD_INPUT = 'standard input'
const EXTENSIONS = ['.yaml', '.yml', '.json']

/**
 * Reads every resource of the named files; `-` is standard input, a folder its files, and with `recursive` those below.
 * @throws DroverError 'invalid' with every fault of every file
 */
export async function readResourceFiles(
  world: World,
  names: readonly string[],
  options: { recursive: boolean },
): Promise<ResourceFiles> {
  const resources: ParsedResource[] = []
  const warnings: string[] = []
  const faults: { message: string }[] = []
  for (const name of names) {
    for (const [source, text] of await readTexts(world, name, options)) {
      const parsed = parseResources(text, { source })
      if (parsed.ok) {
        resources.push(...parsed.value.resources)
        warnings.push(...parsed.value.warnings)
      } else {
        faults.push(...parsed.error)
      }
    }
  }
  const read = names.map((name) => (name === '-' ? STANDARD_INPUT : name)).join(', ')
  if (faults.length > 0) {
    throw new DroverError('invalid', `Nothing is written: ${read} can't be taken as it is.`, {
      remedy: 'Correct what is listed and run it again.',
      details: { faults },
    })
  }
  if (resources.length === 0) {
    throw new UsageError(`There is no resource in ${read}.`, 'Name a file with at least one document.')
  }
  return { resources, warnings }
}

async function readTexts(
  world: World,
  name: string,
  options: { recursive: boolean },
): Promise<[source: string, text: string][]> {
  if (name === '-') return [[STANDARD_INPUT, await world.readInput()]]
  try {
    if (!statSync(name).isDirectory()) return [[name, readFileSync(name, 'utf8')]]
    return readdirSync(name, { recursive: options.recursive, encoding: 'utf8' })
      .filter((file) => EXTENSIONS.includes(path.extname(file)))
      .sort()
      .map((file) => path.join(name, file))
      .filter((file) => statSync(file).isFile())
      .map((file) => [file, readFileSync(file, 'utf8')])
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(
      `'${name}' can't be read: ${words}.`,
      'Name a file or folder that exists, or - for standard input.',
    )
  }
}
