import { readFileSync } from 'node:fs'
import {
  type LocalSettings,
  type SettingFault,
  allSettings,
  environmentLayer,
  fileLayer,
  flagLayer,
  localSettings,
  resolveSettings,
} from '@network/agent/config'
import type { EtcdStoreOptions } from '@network/datastore'
import { DroverError, type Result } from '@network/net'
import type { AgentArguments, StoreArguments } from './world.ts'

type Environment = Readonly<Record<string, string | undefined>>

function settingsError(faults: readonly SettingFault[]): DroverError {
  const [first] = faults
  return faults.length === 1 && first !== undefined
    ? new DroverError('invalid-settings', first.message, { remedy: `Change it at ${first.place}.` })
    : new DroverError('invalid-settings', 'Several settings are wrong.', {
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
    throw new DroverError('invalid-settings', `The ${what} can't be read: ${words}.`, {
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

/** What only the agent itself has flags for: 'drover attach --docker NAME' names a container. */
const sharedSettings = localSettings.filter(({ name }) => !name.startsWith('docker'))

/** The settings that a command shares with the agent, as the agent itself would find them. */
function commonSettings(flags: StoreArguments & AgentArguments, env: Environment): LocalSettings {
  const given = [environmentLayer(localSettings, env), flagLayer(sharedSettings, { ...flags })]
  const { config } = mustResolve(resolveSettings(localSettings, given)).values
  const named = flags.config !== undefined || (env['DROVER_CONFIG'] ?? '') !== ''
  const file = mustResolve(fileLayer(allSettings, config, configurationText(config, named)))
  return mustResolve(resolveSettings(localSettings, [file, ...given])).values
}

/**
 * Where etcd is and how to be let in: from flags, environment and the agent's configuration file, strongest first.
 * @throws DroverError 'invalid-settings' that names the place of every fault
 */
export function etcdOptions(flags: StoreArguments, env: Environment): EtcdStoreOptions {
  const settings = commonSettings(flags, env)
  const orNone = (text: string): string | undefined => (text === '' ? undefined : text)
  const passwordFile = orNone(settings.etcdPasswordFile)
  return {
    // A flag means what it says, also on a machine whose agent brings an etcd of its own.
    endpoints:
      settings.embeddedEtcd && flags.etcdEndpoints === undefined
        ? [`http://127.0.0.1:${settings.embeddedEtcdClientPort}`]
        : settings.etcdEndpoints,
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

/**
 * Where the agent listens, found in the same way.
 * @throws DroverError 'invalid-settings'
 */
export function agentSocket(flags: AgentArguments, env: Environment): string {
  return commonSettings(flags, env).socket
}

/**
 * Where the agent listens and where its state is, found in the same way.
 * @throws DroverError 'invalid-settings'
 */
export function agentPaths(
  flags: AgentArguments,
  env: Environment,
): Pick<LocalSettings, 'socket' | 'stateDirectory'> {
  const { socket, stateDirectory } = commonSettings(flags, env)
  return { socket, stateDirectory }
}
