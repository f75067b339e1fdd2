/** A face that runs before a fake agent, in a folder of its own, and how a runtime calls it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DroverError } from '@network/net'
import type { Test } from 'tap'
import { createCniFace } from '../src/face.ts'
import { createFakeAgent } from './fake-services.ts'

/** A configuration that works. */
export const good = { cniVersion: '1.1.0', name: 'net', type: 'drover' }

/** A failure of the agent's with this code. */
export const agentError = (code: string) =>
  new DroverError(code, `The agent says ${code}.`, { remedy: 'Do this.' })

/** `call` answers as a runtime sees it; the variables given replace those of an ADD that works. */
export async function startFace(t: Test) {
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-face-'))
  const agent = createFakeAgent(folder)
  const running = await createCniFace().start(agent.services)
  t.teardown(async () => {
    await running.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const call = async (command: string, configuration: unknown, env: Record<string, string> = {}) => {
    const answer = await agent.ask({
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/proc/self/ns/net',
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/nowhere',
      stdin: typeof configuration === 'string' ? configuration : JSON.stringify(configuration),
      ...env,
    })
    const body = answer.body.toString()
    return { status: answer.status, body, json: (body === '' ? undefined : JSON.parse(body)) as unknown }
  }
  return { agent, call, folder, running }
}
