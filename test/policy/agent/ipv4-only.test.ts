/**
 * A node whose kernel has no IPv6: it works for IPv4 under policy, says so, and refuses IPv6. The kernel of the machine
 * has it, so the host's view of /proc/sys/net/ipv6 is covered, and an ip6tables that always fails comes before the machine's.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import tap from 'tap'
import { Lab, type LabNode, buildCluster } from '../../lab/index.ts'

await tap.test('a node without IPv6', async (t) => {
  const lab = new Lab('polv4')
  t.teardown(() => {
    lab.destroy()
  })
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes as [LabNode]
  await node.agent().stop()
  const broken = path.join(lab.folder, 'broken')
  mkdirSync(broken, { recursive: true })
  for (const program of ['nft-save', 'nft-restore', 'legacy-save', 'legacy-restore']) {
    const file = path.join(broken, `ip6tables-${program}`)
    writeFileSync(file, '#!/bin/sh\necho "this kernel has no IPv6" >&2\nexit 3\n')
    chmodSync(file, 0o755)
  }
  // Programs are looked for there first.
  await node.place.run('mount', ['--bind', broken, '/usr/local/sbin'])

  await t.test('the kernel speaks IPv6 and ip6tables fails: the agent says so and ends', async (t) => {
    await node.startAgent({ ready: false })
    const { exitCode } = await node.agent().ended
    t.not(exitCode, 0)
    t.match(node.agent().log(), /ip6tables-(nft|legacy)-save ended with status 3: this kernel has no IPv6/)
    t.match(node.agent().log(), /ipv6\.disable=1/)
  })

  await t.test('the kernel has no IPv6: all is well with IPv4', async (t) => {
    await node.place.run('ip', ['-6', 'address', 'flush', 'scope', 'global'])
    await node.place.run('mount', ['-t', 'tmpfs', 'none', '/proc/sys/net/ipv6'])
    await node.startAgent()
    const client = await node.attach('client')
    t.match(client.addresses, [/^10\./], 'it gets an address of IPv4')
    t.equal(client.addresses.length, 1)
    const server = await node.attach('server')
    await client.place.run('ping', ['-c', '1', '-W', '2', server.addresses[0] ?? ''])
    t.match(await node.drover('node', 'status'), /has no IPv6/)
    await t.rejects(node.attach('six', '--family', 'ipv6'), /has no ipv6/)
    const { stdout: rules } = await node.place.run('iptables-nft-save', ['-t', 'filter'])
    t.match(rules, /drv-fw-/)
  })
})
