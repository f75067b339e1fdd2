import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { silentLog } from '@network/net/system'
import { createNameIndex } from '../../src/names/name-index.ts'
import { type Server } from '../../src/names/nameservers.ts'
import { listenForQuestions } from '../../src/resolver/listener.ts'
import { createNameService } from '../../src/roles/names.ts'
import { endpoint } from '../names/endpoints.ts'
import { inOwnNetwork } from '../own-network.ts'
import { recordingLog } from '../recording-log.ts'
import { answerTo, askByUdp, fastClock, freePlace, question, words } from '../resolver/ask.ts'

const text = ({ address, port }: Server): string => `${address}:${String(port)}`

function service(t: Test, log = silentLog) {
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-names-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const resolvConf = path.join(folder, 'resolv.conf')
  writeFileSync(resolvConf, '')
  const index = createNameIndex()
  index.onUpdate('shop', endpoint({ network: 'web', names: ['shop'], addresses: ['10.0.0.1'] }))
  const names = createNameService(
    { index, complete: () => true, random: Math.random, clock: fastClock(50), log },
    { resolvConf, onOutcome: () => undefined },
  )
  t.teardown(() => names.stop())
  return { names, resolvConf }
}

async function upstream(t: Test, data: string): Promise<Server> {
  const at = await freePlace()
  const listener = await listenForQuestions(at, (asked) => Promise.resolve(answerTo(asked, { data })))
  t.teardown(() => listener.close())
  return at
}

await inOwnNetwork(import.meta.url, async (t) => {
  await t.test('settings are taken over while it runs', async (t) => {
    const { names } = service(t)
    const [first, second] = [await freePlace(), await freePlace()]
    const [one, two] = [await upstream(t, '192.0.2.1'), await upstream(t, '192.0.2.2')]
    names.setSettings({ dnsListen: [text(first)], dnsUpstream: [text(one)] })
    await names.settled()
    t.equal(words(await askByUdp(first, question('shop.web'))), '0: 10.0.0.1')
    t.equal(words(await askByUdp(first, question('example.net'))), '0: 192.0.2.1')
    names.setSettings({ dnsListen: [text(first), text(second)], dnsUpstream: [text(two)] })
    await names.settled()
    t.equal(words(await askByUdp(second, question('example.net'))), '0: 192.0.2.2')
    t.equal(words(await askByUdp(first, question('example.net'))), '0: 192.0.2.2')
    names.setSettings({ dnsListen: [text(second)], dnsUpstream: [] })
    await names.settled()
    const again = await listenForQuestions(first, () => Promise.resolve(undefined))
    await again.close()
    t.pass('an address that is not named any more is free')
    t.same(names.problems().length, 1, 'nobody is left to be asked')
    t.equal(words(await askByUdp(second, question('example.net'))), '2:')
    t.equal(words(await askByUdp(second, question('shop.web'))), '0: 10.0.0.1')
  })

  await t.test('an address that is taken is told, and had as soon as it is free', async (t) => {
    const log = recordingLog()
    const { names } = service(t, log)
    const [taken, free] = [await freePlace(), await freePlace()]
    const holder = await listenForQuestions(taken, () => Promise.resolve(undefined))
    names.setSettings({ dnsListen: [text(taken), text(free)], dnsUpstream: ['192.0.2.53'] })
    await names.settled()
    t.match(names.problems(), [
      new RegExp(
        `^dnsListen: 127\\.0\\.0\\.1, port ${String(taken.port)} .*EADDRINUSE.* Name an address of this host`,
      ),
    ])
    t.equal(words(await askByUdp(free, question('shop.web'))), '0: 10.0.0.1', 'the other one is served')
    await sleep(350)
    t.equal(log.lines.filter(({ level }) => level === 'error').length, 1, 'it is said once')
    await holder.close()
    const end = performance.now() + 5_000
    while (names.problems().length > 0 && performance.now() < end) await sleep(20)
    t.equal(words(await askByUdp(taken, question('shop.web'))), '0: 10.0.0.1')
  })

  await t.test('whom resolv.conf lists is asked, save itself', async (t) => {
    const { names, resolvConf } = service(t)
    const at = { address: '127.0.0.1', port: 53 }
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\n')
    names.setSettings({ dnsListen: ['127.0.0.1'], dnsUpstream: [] })
    await names.settled()
    t.match(names.problems(), [/resolv\.conf lists nobody but this agent/])
    t.equal(words(await askByUdp(at, question('example.net'))), '2:', 'a question does not go round for ever')
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\nnameserver 192.0.2.53\n')
    const end = performance.now() + 5_000
    while (names.problems().length > 0 && performance.now() < end) await sleep(20)
    t.same(names.problems(), [])
  })
})
