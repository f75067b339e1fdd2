/** How an agent comes to its store, and what it asks it first. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type Store, createEtcdStore } from '@network/datastore'
import { effectiveBgpConfiguration } from '@network/datastore/model'
import { type Clock, DroverError, type Log } from '@network/net'
import type { AgentSettingsSource, StoredConfiguration } from './agent-settings.ts'
import { createEmbeddedEtcd } from './embedded-etcd.ts'
import type { Life } from './life.ts'
import { mayPass } from './membership.ts'
import { readStored, readStoredConfiguration } from './stored-configuration.ts'

const FIRST_READ_MS = 3_000
const RETRY_MS = 1_000

type Values = AgentSettingsSource['current']['values']

/** Starts the etcd of this one machine, and ends it when the agent ends. */
export async function startEmbeddedEtcd(
  modules: { clock: Clock; log: Log; life: Life },
  { stateDirectory, embeddedEtcdClientPort, embeddedEtcdPeerPort }: Values,
): Promise<void> {
  const etcd = createEmbeddedEtcd(modules, {
    directory: path.join(stateDirectory, 'etcd'),
    clientPort: embeddedEtcdClientPort,
    peerPort: embeddedEtcdPeerPort,
  })
  modules.life.atEnd('the embedded etcd', () => etcd.stop())
  await etcd.start()
}

/** @throws DroverError 'invalid-settings', StoreError for options that make no sense */
export async function openStore(modules: { clock: Clock; log: Log }, values: Values): Promise<Store> {
  const given = (text: string): string | undefined => (text === '' ? undefined : text)
  return createEtcdStore(modules, {
    endpoints: values.embeddedEtcd
      ? [`http://127.0.0.1:${values.embeddedEtcdClientPort}`]
      : values.etcdEndpoints,
    caFile: given(values.etcdCaFile),
    certFile: given(values.etcdCertFile),
    keyFile: given(values.etcdKeyFile),
    username: given(values.etcdUsername),
    password: values.etcdPasswordFile === '' ? undefined : await readPassword(values.etcdPasswordFile),
  })
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split('\n')[0] ?? ''
  } catch (error) {
    throw new DroverError(
      'invalid-settings',
      `The password file ${file} can't be read: ${(error as Error).message}.`,
      { remedy: 'Correct --etcd-password-file.', cause: error },
    )
  }
}

/**
 * What the store says at the start; undefined if it does not answer and this agent knows enough to begin without it.
 * An agent that knows nothing waits.
 */
export async function firstConfiguration(
  { store, life, log }: { store: Store; life: Life; log: Log },
  node: string,
  known: StoredConfiguration | undefined,
): Promise<StoredConfiguration | undefined> {
  while (!life.ended()) {
    try {
      return await readStoredConfiguration(store, node, FIRST_READ_MS)
    } catch (error) {
      if (!mayPass(error)) throw error
      if (known !== undefined) return undefined
      log.warn({ error: (error as Error).message }, 'waiting for etcd')
      await life.pause(RETRY_MS)
    }
  }
  return undefined
}

/** The port on which the node's speaker is to listen. */
export async function listenPort(store: Store, node: string): Promise<number> {
  const [cluster, ofNode] = await Promise.all([
    readStored(store, 'BGPConfiguration', 'default', FIRST_READ_MS),
    readStored(store, 'BGPConfiguration', `node.${node}`, FIRST_READ_MS),
  ])
  return effectiveBgpConfiguration(cluster?.spec, ofNode?.spec).listenPort
}
