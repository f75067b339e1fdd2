import { type Schema, type Setting, agentSettings } from '@network/datastore/model'

/** What an agent must know before it can read its configuration from the store; '' is none. */
export interface LocalSettings {
  config: string
  nodeName: string
  etcdEndpoints: string[]
  etcdCaFile: string
  etcdCertFile: string
  etcdKeyFile: string
  etcdUsername: string
  etcdPasswordFile: string
  embeddedEtcd: boolean
  embeddedEtcdClientPort: number
  embeddedEtcdPeerPort: number
  socket: string
  stateDirectory: string
  docker: boolean
  dockerSocket: string
  dockerPluginSocket: string
}

const file: Schema<string> = { is: 'string', minLength: 0, maxLength: 4096, secret: false }
const shortText: Schema<string> = { is: 'string', minLength: 0, maxLength: 253, secret: false }
const port: Schema<number> = { is: 'integer', min: 1, max: 65535 }
const endpoints: Schema<string[]> = {
  is: 'list',
  item: { is: 'string', minLength: 1, maxLength: 1024, secret: false },
  min: 0,
  max: 64,
  distinct: true,
}

type LocalTable = {
  readonly [K in keyof LocalSettings]: [Schema<LocalSettings[K]>, LocalSettings[K], string]
}

const table: LocalTable = {
  config: [file, '/etc/drover/drover.yaml', 'Configuration file; the default one need not exist.'],
  nodeName: [shortText, '', "Name of this node; by default the machine's hostname."],
  etcdEndpoints: [
    endpoints,
    ['http://127.0.0.1:2379'],
    'Where etcd is: http://HOST:PORT or https://HOST:PORT.',
  ],
  etcdCaFile: [file, '', "PEM file with the authorities that sign etcd's certificates."],
  etcdCertFile: [file, '', 'PEM file with the client certificate for etcd.'],
  etcdKeyFile: [file, '', "PEM file with the client certificate's key."],
  etcdUsername: [shortText, '', 'User at etcd.'],
  etcdPasswordFile: [file, '', "File whose first line is the user's password at etcd."],
  embeddedEtcd: [
    { is: 'boolean' },
    false,
    'Run an etcd for this one machine, on loopback, as a child of the agent.',
  ],
  embeddedEtcdClientPort: [port, 2379, 'Loopback port on which the embedded etcd serves.'],
  embeddedEtcdPeerPort: [port, 2380, 'Loopback port that the embedded etcd keeps for members.'],
  socket: [file, '/run/drover/agent.sock', 'The local API.'],
  stateDirectory: [file, '/var/lib/drover', 'Journal of releases, identity of the machine, embedded etcd.'],
  docker: [{ is: 'boolean' }, false, 'Serve the Docker network plugin.'],
  dockerSocket: [file, '/var/run/docker.sock', "Docker's own API, asked for names and labels of containers."],
  dockerPluginSocket: [
    file,
    '/run/docker/plugins/drover.sock',
    "The Docker plugin's socket; the file's name is that of the driver.",
  ],
}

/** Settings that come from flags, environment and file alone, in the order in which they are shown. */
export const localSettings: readonly Setting[] = (Object.keys(table) as (keyof LocalSettings)[]).map(
  (name) => {
    const [schema, fallback, description] = table[name]
    return { name, schema, default: fallback, unit: undefined, description, live: false }
  },
)

/** All settings of an agent; each is a flag, a variable, a key of the file, and (save the local ones) a field of AgentConfiguration. */
export const allSettings: readonly Setting[] = [...localSettings, ...agentSettings]
