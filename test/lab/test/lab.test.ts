import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { Lab, sweepLabs, until } from '../index.ts'
import { labFolder, markOf, readRecord, writeRecord } from '../record.ts'

const program = path.join(import.meta.dirname, 'owner.ts')

/** Whatever of a lab is still there. */
function remains(id: string): string[] {
  const namespaces = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [...namespaces, ...mounts, ...(existsSync(labFolder(id)) ? [labFolder(id)] : [])].filter((line) =>
    line.includes(id),
  )
}

async function startOwner(): Promise<{ id: string; pid: number; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, [...process.execArgv, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const id = await new Promise<string>((resolve) => {
    child.stdout.once('data', (line: Buffer) => {
      resolve(line.toString().trim())
    })
  })
  return { id, pid: child.pid ?? 0, ended }
}

test('nothing of a lab is left when its owner is killed with -9', async (t) => {
  const { id, pid, ended } = await startOwner()
  const processes = readRecord(id)?.processes ?? []
  t.ok(remains(id).length > 3, 'it was all there')
  t.equal(processes.length, 2, 'BIRD and a sleeper run')
  process.kill(pid, 'SIGKILL')
  await ended
  await until('all of it is gone', () => remains(id).length === 0)
  t.same(
    processes.filter((mark) => markOf(mark.pid)?.startTicks === mark.startTicks),
    [],
    'its processes too',
  )
})

test('nothing comes back when a process of a lab that is gone has ended', async (t) => {
  const lab = new Lab('gone')
  const place = await lab.namespace('x')
  const sleeper = place.start('sleeper', 'sleep', ['60'])
  await until('its log is open', () => existsSync(sleeper.logFile))
  lab.destroy()
  await sleeper.ended
  await new Promise((resolve) => setImmediate(resolve))
  t.same(remains(lab.id), [])
})

test('a lab whose owner and reaper are both gone is swept by the next one', async (t) => {
  const lab = new Lab('left')
  await lab.host('node')
  const record = readRecord(lab.id)
  t.ok(record)
  // As if another process had owned it: its pid was given to somebody else since.
  if (record !== undefined) writeRecord({ ...record, owner: { ...record.owner, startTicks: '1' } })
  t.ok(sweepLabs().includes(lab.id))
  t.same(remains(lab.id), [])
  lab.destroy()
})

test('a lab of a running owner is left alone', async (t) => {
  const lab = new Lab('mine')
  t.teardown(() => {
    lab.destroy()
  })
  await lab.namespace('x')
  t.notOk(sweepLabs().includes(lab.id))
  t.ok(remains(lab.id).length > 0)
})
