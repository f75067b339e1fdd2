/** A process that owns a lab with everything a lab can hold, says its id, and waits to be killed. */
import { Lab, buildSwitch } from '../index.ts'

const lab = new Lab('owned')
const { switch: wire } = await buildSwitch(lab)
const host = await lab.host('node')
await wire.plug(host, 1)
host.start('sleeper', 'sleep', ['600'])
process.stdout.write(`${lab.id}\n`)
setInterval(() => undefined, 1000)
