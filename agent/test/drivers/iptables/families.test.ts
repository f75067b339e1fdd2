import t from 'tap'
import { chooseBackend } from '../../../src/drivers/iptables/backend.ts'
import { chooseFamilies } from '../../../src/drivers/iptables/families.ts'
import { type Exec, ExecError } from '../../../src/exec.ts'

/** A machine with these programs; a text says that one fails with it, and what is not there is missing. */
function machine(programs: Readonly<Record<string, 'works' | { readonly fails: string }>>) {
  const asked: string[] = []
  const exec: Exec = {
    run(file) {
      asked.push(file)
      const program = programs[file]
      if (program === undefined)
        return Promise.reject(new ExecError('missing-tool', `There is no program '${file}'.`))
      return Promise.resolve(
        program === 'works'
          ? { exitCode: 0, stdout: '', stderr: '' }
          : { exitCode: 3, stdout: '', stderr: program.fails },
      )
    },
    start: () => {
      throw new Error('nothing stays open')
    },
  }
  return { exec, asked }
}

const nft = { 'iptables-nft-save': 'works', 'ip6tables-nft-save': 'works' } as const
const legacy = { 'iptables-legacy-save': 'works', 'ip6tables-legacy-save': 'works' } as const

t.test('both families where the kernel has both', async (t) => {
  const { exec } = machine(nft)
  t.same(await chooseFamilies({ exec, speaksIpv6: () => true }, 'nft'), { families: ['ipv4', 'ipv6'] })
})

t.test('a kernel without IPv6: IPv4 alone, and no program of IPv6 is asked', async (t) => {
  const { exec, asked } = machine({ 'iptables-nft-save': 'works' })
  const { families, problem } = await chooseFamilies({ exec, speaksIpv6: () => false }, 'nft')
  t.same(families, ['ipv4'])
  t.match(problem, /no IPv6.*IPv4 alone/)
  t.same(asked, ['iptables-nft-save'])
})

t.test('an ip6tables that fails where the kernel speaks IPv6 is an error and no guess', async (t) => {
  const { exec } = machine({ ...nft, 'ip6tables-nft-save': { fails: "can't initialize\nip6tables table" } })
  await t.rejects(chooseFamilies({ exec, speaksIpv6: () => true }, 'nft'), {
    code: 'iptables-fails',
    message: "ip6tables-nft-save ended with status 3: can't initialize ip6tables table",
    remedy: /ipv6\.disable=1/,
  })
  const without = machine({ 'iptables-nft-save': 'works' })
  await t.rejects(chooseFamilies({ exec: without.exec, speaksIpv6: () => true }, 'nft'), {
    code: 'missing-tool',
  })
})

t.test('an iptables that fails is an error in any case', async (t) => {
  const { exec } = machine({ ...nft, 'iptables-nft-save': { fails: 'no' } })
  await t.rejects(chooseFamilies({ exec, speaksIpv6: () => false }, 'nft'), { code: 'iptables-fails' })
})

t.test('of two kinds of iptables the one that the machine has', async (t) => {
  const chosen = async (programs: Parameters<typeof machine>[0]) =>
    (await chooseBackend(machine(programs), 'auto')).backend
  t.equal(await chosen({ ...nft, ...legacy }), 'nft')
  t.equal(await chosen(nft), 'nft')
  t.equal(await chosen(legacy), 'legacy')
  t.equal(await chosen({}), 'nft', 'with neither, what is missing is said of nft')
})
