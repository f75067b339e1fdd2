import { test } from 'tap'
import { Lab, type Workload, buildCluster, reaches, until } from '../lab/index.ts'

test('workloads on three nodes reach each other and the world outside by plain routing', async (t) => {
  const lab = new Lab('reach')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab)
  const workloads: Workload[] = []
  for (const node of cluster.nodes) {
    for (const name of ['web', 'db']) workloads.push(await node.attach(`${node.name}-${name}`))
  }

  t.test('every workload has one address of each family', (t) => {
    for (const { name, addresses } of workloads) {
      t.equal(addresses.length, 2, name)
      t.match(addresses[0], /^10\.65\./, name)
      t.match(addresses[1], /^fd65:/, name)
    }
    t.equal(new Set(workloads.flatMap(({ addresses }) => addresses)).size, 12, 'no address is given twice')
    t.end()
  })

  t.test('the switch learns the blocks and nothing longer', async (t) => {
    const learned = await until('three blocks of each family', async () => {
      const prefixes = await cluster.switch.learned()
      return prefixes.length >= 6 && prefixes
    })
    t.equal(learned.filter((prefix) => /^10\.65\.\d+\.\d+\/26$/.test(prefix)).length, 3, learned.join(' '))
    t.equal(learned.filter((prefix) => /^fd65:.*\/122$/.test(prefix)).length, 3, learned.join(' '))
    t.equal(learned.length, 6)
  })

  t.test('every workload reaches every other one', async (t) => {
    for (const from of workloads) {
      for (const to of workloads) {
        if (from === to) continue
        for (const address of to.addresses) {
          t.ok(
            await until(`${from.name} reaches ${address}`, () => reaches(from.place, address, 1)),
            `${from.name} → ${address}`,
          )
        }
      }
    }
  })

  t.test('the machine outside reaches every workload, and is reached with its real source', async (t) => {
    for (const { name, addresses, place } of workloads) {
      for (const address of addresses) {
        t.ok(
          await until(`outside reaches ${address}`, () => reaches(cluster.outside, address, 1)),
          `outside → ${name} ${address}`,
        )
      }
      t.ok(await reaches(place, '10.251.0.10'), `${name} → outside`)
    }
    const listener = cluster.outside.start('capture', 'timeout', [
      '20',
      'tcpdump',
      '-n',
      '-l',
      '-i',
      'eth0',
      '-c',
      '1',
      'icmp[0] == 8',
    ])
    await until('tcpdump listens', () => listener.log().includes('listening on'))
    const [first] = workloads
    await reaches(first!.place, '10.251.0.10')
    await listener.ended
    t.match(listener.log(), `IP ${first!.addresses[0]!} > 10.251.0.10`, 'no NAT on the way')
  })

  t.test('a packet between two nodes carries no other header', async (t) => {
    const [from, , , , , to] = workloads
    const capture = cluster.switch.place.start('plain', 'timeout', [
      '20',
      'tcpdump',
      '-n',
      '-l',
      '-i',
      'wire',
      '-c',
      '2',
      'icmp',
    ])
    const port = cluster.switch.place.start('port', 'timeout', [
      '20',
      'tcpdump',
      '-n',
      '-e',
      '-l',
      '-i',
      'port1',
      '-c',
      '1',
      'icmp',
    ])
    await until('tcpdump listens', () => port.log().includes('listening on'))
    await reaches(from!.place, to!.addresses[0]!)
    await port.ended
    capture.signal('SIGTERM')
    t.match(
      port.log(),
      `ethertype IPv4 (0x0800), length 98: ${from!.addresses[0]!} > ${to!.addresses[0]!}: ICMP echo request`,
    )
  })

  t.test('detaching takes interface, route and address back', async (t) => {
    const [node] = cluster.nodes
    const gone = workloads[0]!
    const before = (await node!.place.run('ip', ['route', 'show', 'proto', '98'])).stdout
    t.match(before, gone.addresses[0]!)
    const result = await node!.detach(gone.name)
    t.same([...result.addresses].sort(), [...gone.addresses].sort())
    t.notMatch(
      (await node!.place.run('ip', ['route', 'show', 'proto', '98'])).stdout,
      `${gone.addresses[0]!} `,
    )
    t.equal((await gone.place.attempt('ip', ['link', 'show', 'eth0'])).exitCode, 1)
    t.same((await node!.detach(gone.name)).endpoints, [], 'again: it is gone already')
    const show = await node!.drover('ipam', 'show', '--ip', gone.addresses[0]!)
    t.match(show, /is free|rests/)
  })

  t.test('the audit finds nothing wrong', async (t) => {
    t.match(await cluster.nodes[0]!.drover('ipam', 'check'), 'nothing is wrong')
  })
})
