import { readFileSync } from 'node:fs'
import {
  type LocalSettings,
  type SettingFault,
  allSettings,
  environmentLayer,
  fileLayer,
  flagLayer,
  resolveSettings,
} from '@network/agent/config'
import type { EtcdStoreOptions } from '@network/datastore'
import { DroverError, type Result } from '@network/net'
import type { StoreArguments } from './world.ts'

function settingsError(faults: readonly SettingFault[]): DroverError {
  const [first] = faults
  return faults.length === 1 && first !== undefined
    ? new DroverError('invalid-setting', first.message, { remedy: `Change it at ${first.place}.` })
    : new DroverError('invalid-setting', 'Several settings are wrong.', {
        remedy: 'Change them where they stand.',
        details: { faults },
      })
}

function mustResolve<T>(result: Result<T, SettingFault[]>): T {
  if (!result.ok) throw settingsError(result.error)
  return result.value
}

function readSettingFile(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw new DroverError('invalid-setting', `The ${what} can't be read: ${words}.`, {
      remedy: 'Name a file that exists and that you may read.',
      cause,
    })
  }
}

/** The configuration file's text; '' if nobody named one and the default one is not there. */
function configurationText(file: string, named: boolean): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    return readSettingFile(file, `configuration file ${file}`)
  }
}

/**
 * Where etcd is and how to be let in: from flags, environment and the agent's configuration file, strongest first.
 * @throws DroverError 'invalid-setting' that names the place of every fault
 */
export function etcdOptions(
  flags: StoreArguments,
  env: Readonly<Record<string, string | undefined>>,
): EtcdStoreOptions {
  const given = [environmentLayer(allSettings, env), flagLayer(allSettings, { ...flags })]
  const first: LocalSettings = mustResolve(resolveSettings(allSettings, given)).values
  const named = flags.config !== undefined || (env['DROVER_CONFIG'] ?? '') !== ''
  const file = mustResolve(fileLayer(allSettings, first.config, configurationText(first.config, named)))
  const settings = mustResolve(resolveSettings(allSettings, [file, ...given])).values
  const orNone = (text: string): string | undefined => (text === '' ? undefined : text)
  const passwordFile = orNone(settings.etcdPasswordFile)
  return {
    endpoints: settings.etcdEndpoints,
    caFile: orNone(settings.etcdCaFile),
    certFile: orNone(settings.etcdCertFile),
    keyFile: orNone(settings.etcdKeyFile),
    username: orNone(settings.etcdUsername),
    password:
      passwordFile === undefined
        ? undefined
        : readSettingFile(passwordFile, `password file ${passwordFile}`).split('\n')[0]?.trimEnd(),
  }
}
