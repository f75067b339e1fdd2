export * from './store/store.ts'
export { createMemoryStore, type MemoryStore } from './store/memory.ts'
export * from './ipam/handle.ts'
export * from './ipam/audit-report.ts'
export * from './allocator/allocation-error.ts'
export * from './allocator/requests.ts'
export { createEtcdStore, type EtcdStoreOptions } from './store/etcd.ts'
export {
  createSyncer,
  type SyncBatch,
  type SyncUpdate,
  type Syncer,
  type SyncerOptions,
  type SyncerState,
} from './syncer/syncer.ts'
export {
  createResources,
  type ResourceList,
  type Resources,
  type ResourcesModules,
  type WriteOptions,
} from './store/resources.ts'
export { type DeleteOptions, type DeleteReference } from './store/resource-deletion.ts'
export { type ResourceChange } from './store/resource-change.ts'
export { describeReference, ResourceError, ResourceErrorCode } from './store/resource-error.ts'
export { MAX_BATCH } from './store/resource-transaction.ts'
export { createAllocator, type AllocatorModules, type AllocatorOptions } from './allocator/allocator.ts'
export { AffinityState, decodeAffinity, encodeAffinity } from './ipam/affinity.ts'
export { decodeBlock, encodeBlock } from './ipam/block-encoding.ts'
export { type Allocation, type Block } from './ipam/block.ts'
