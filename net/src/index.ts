export * from './address.ts'
export * from './modules.ts'
export * from './prefix.ts'
export * from './result.ts'
