import path from 'node:path'
import { test } from 'tap'
import { createBench } from './fake-world.ts'

const folder = path.join(import.meta.dirname, '..', '..', 'datastore', 'test', 'model', 'calico')

test("a folder of Calico's manifests of policy is applied as it is, and means here what it means there", async (t) => {
  const { run } = createBench()
  const applied = await run(['apply', '-f', folder])
  t.equal(applied.exitCode, 0, applied.err)
  t.equal(applied.out.match(/ created\n/g)?.length, 16, applied.out)
  for (const line of applied.err.trim().split('\n')) t.match(line, /^warning: .* is dropped: /)
  const again = await run(['apply', '-f', folder])
  t.equal(again.out.match(/ unchanged\n/g)?.length, 16, again.out)
  t.match((await run(['get', 'tiers'])).out, /^security +100 +Pass$/m)
  t.match((await run(['get', 'gnp', '-o', 'wide'])).out, /^node-ports +default +20 .* pre-DNAT$/m)
  t.match((await run(['get', 'heps'])).out, /^rack1-b-all +rack1-b +\*/m)
  const trace = async (...words: string[]): Promise<string> =>
    (await run(['policy', 'trace', '--from', 'web-1', ...words])).out.split('\n').slice(0, 2).join('\n')
  t.match(
    await trace('--to', '169.254.169.254', '--port', '80'),
    /denied\ndecided by GlobalNetworkPolicy\/security.block-metadata, rule 1, tier security/,
  )
  t.match(
    await trace('--to', '198.51.100.1', '--port', '80'),
    /allowed\ndecided by Profile\/kns.production, rule 1/,
  )
})
