import { type Cluster, type LabNode, buildCluster } from './cluster.ts'
import { type DockerHost, dockerFlags, startDocker } from './docker.ts'
import { Lab } from './lab.ts'

/** As many as there are nodes. */
type Each<Count extends 2 | 3, Thing> = Count extends 2
  ? readonly [Thing, Thing]
  : readonly [Thing, Thing, Thing]

export interface DockerCluster<Count extends 2 | 3> {
  readonly lab: Lab
  readonly cluster: Cluster
  readonly nodes: Each<Count, LabNode>
  /** The dockerd of each node, in the order of the nodes. */
  readonly hosts: Each<Count, DockerHost>
}

/** A lab with a cluster whose nodes all run Docker; it ends with the test. */
export async function buildDockerCluster<Count extends 2 | 3>(
  test: { teardown(end: () => Promise<void> | void): void },
  label: string,
  nodes: Count,
): Promise<DockerCluster<Count>> {
  const lab = new Lab(label)
  test.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes, agentFlags: (node) => dockerFlags(lab, node) })
  const hosts = await Promise.all(
    cluster.nodes.map(async ({ place }) => {
      const host = await startDocker(lab, place)
      test.teardown(() => host.stop())
      return host
    }),
  )
  return {
    lab,
    cluster,
    nodes: cluster.nodes as unknown as Each<Count, LabNode>,
    hosts: hosts as unknown as Each<Count, DockerHost>,
  }
}
