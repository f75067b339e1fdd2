/** DELs that are promised: when they are carried out, and what a face that ends leaves of them. */
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'tap'
import { agentError, good, startFace } from '../running-face.ts'

test('DEL that can not be carried out now is promised, and kept before the next ADD or when the agent is ready', async (t) => {
  const { agent, call, folder } = await startFace(t)
  const promises = () => readdir(path.join(folder, 'journal', 'cni'))
  for (const id of ['c1', 'c2']) await call('ADD', good, { CNI_CONTAINERID: id })
  agent.failures.set('detach', agentError('not-ready'))
  for (const id of ['c1', 'c2'])
    t.match(await call('DEL', good, { CNI_CONTAINERID: id }), { status: 200, body: '' })
  t.same((await promises()).sort(), ['c1:eth0', 'c2:eth0'])
  t.match((await call('ADD', good)).json, { code: 11 }, 'an old interface is not given to a new container')
  agent.failures.clear()
  t.match(await call('ADD', good), { status: 200 })
  t.same(await promises(), ['c2:eth0'])
  t.equal(agent.detached.length, 1)
  await writeFile(path.join(folder, 'journal', 'cni', 'no promise'), '')
  agent.becomeReady()
  while ((await promises()).includes('c2:eth0')) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(await promises(), ['no promise'], 'what is no promise is left alone')
  t.same([...agent.attached.keys()], ['c1:eth0'])
  agent.failures.set('detach', agentError('kernel'))
  t.match((await call('DEL', good)).json, { code: 105 }, 'what waiting does not mend is an error')
})

test('a face that ends finishes what it is taking back, and begins nothing more', async (t) => {
  const { agent, call, folder, running } = await startFace(t)
  for (const id of ['c1', 'c2']) await call('ADD', good, { CNI_CONTAINERID: id })
  agent.failures.set('detach', agentError('not-ready'))
  for (const id of ['c1', 'c2']) await call('DEL', good, { CNI_CONTAINERID: id })
  agent.failures.clear()
  let release = (): void => undefined
  agent.held = new Promise((resolve) => {
    release = resolve
  })
  agent.becomeReady()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const stopped = running.stop()
  release()
  await stopped
  t.equal(agent.detached.length, 1, 'the one that was under way')
  t.equal(
    (await readdir(path.join(folder, 'journal', 'cni'))).length,
    1,
    'the other waits for the next start',
  )
  t.equal(agent.timers.size, 0, 'nothing is planned any more')
})
