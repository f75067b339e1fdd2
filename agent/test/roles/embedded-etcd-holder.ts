/** A process that holds an embedded etcd until it is killed. */
import { createEmbeddedEtcd } from '../../src/roles/embedded-etcd.ts'
import { silentLog, systemClock } from '@network/net/system'

const options = JSON.parse(process.argv[2] ?? '{}') as {
  directory: string
  clientPort: number
  peerPort: number
}
await createEmbeddedEtcd({ clock: systemClock, log: silentLog }, options).start()
process.stdout.write('healthy\n')
setInterval(() => undefined, 60_000)
