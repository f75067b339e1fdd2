/**
 * Outlives the owner of a lab: its standard input is a pipe from the owner, and when that ends, however the owner
 * ended, the lab is removed.
 */
import { readRecord, removeLab } from './record.ts'

const id = process.argv[2] ?? ''
process.stdin.resume()
process.stdin.on('end', () => {
  const record = readRecord(id)
  if (record !== undefined) removeLab(record)
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
