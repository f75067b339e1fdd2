/**
 * The handle under which the addresses of one interface are held. Made of what identifies an attach, so that a detach
 * needs no memory; the container's id comes first, since the first characters lead from an address to its handle, and
 * the node last, since two nodes may know a container by the same id. None of the three contains a colon.
 */
export function handleOf(containerId: string, interfaceName: string, node: string): string {
  return `${containerId}:${interfaceName}:${node}`
}
