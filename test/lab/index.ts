export {
  type Cluster,
  type ClusterOptions,
  type LabEtcd,
  type LabNode,
  type Workload,
  buildCluster,
  droverProgram,
  startEtcd,
} from './cluster.ts'
export { type Flow, type FlowReport, reaches, startFlow } from './flow.ts'
export { Lab, type LabProcess, type Output, type Place, type RunOptions, connect, until } from './lab.ts'
export { sweepLabs } from './record.ts'
export { type Switch, type SwitchSession, buildSwitch, rack } from './switch.ts'
export { busybox, createNetwork, type DockerHost, dockerFlags, idle, startDocker } from './docker.ts'
export { type DockerCluster, buildDockerCluster } from './docker-cluster.ts'
export { type ContainerdHost, type Pod, type PodWish, startContainerd } from './containerd.ts'
export { type PodmanHost, podmanImage, startPodman } from './podman.ts'
export { type Traces, noTraces, remains, tracesOf } from './traces.ts'
