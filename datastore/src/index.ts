export * from './store/store.ts'
export { createMemoryStore, type MemoryStore } from './store/memory.ts'
