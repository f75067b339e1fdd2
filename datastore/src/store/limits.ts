import { StoreError, type Operation, type Transaction } from './store.ts'

/** etcd's defaults, --max-txn-ops and --max-request-bytes; both stores hold to them. */
export const maxTransactionOperations = 128
export const maxRequestBytes = 1.5 * 1024 * 1024

/**
 * Refuses what the server would refuse: a key put twice or both put and deleted, an empty key, too many operations.
 * Checked here so that both stores say the same thing, with the key in it.
 */
export function checkTransaction(transaction: Transaction): void {
  const { when, then, otherwise = [] } = transaction
  for (const [name, list] of Object.entries({ when, then, otherwise })) {
    if (list.length > maxTransactionOperations) {
      throw new StoreError(
        'too-large',
        `the transaction has ${list.length} entries in "${name}", and the datastore takes ${maxTransactionOperations}`,
        { remedy: 'split it into several transactions', details: { entries: list.length } },
      )
    }
  }
  const puts = new Set<string>()
  for (const operation of then) {
    const key = operationKey(operation)
    if (key === '' && !('deletePrefix' in operation)) throw emptyKey()
    if (!('put' in operation)) continue
    if (puts.has(key)) throw invalid(`the transaction puts the key ${key} twice`)
    puts.add(key)
  }
  for (const operation of then) {
    if ('delete' in operation && puts.has(operation.delete)) {
      throw invalid(`the transaction both puts and deletes the key ${operation.delete}`)
    }
    if ('deletePrefix' in operation) {
      for (const key of puts) {
        if (key.startsWith(operation.deletePrefix)) {
          throw invalid(
            `the transaction puts the key ${key} and deletes the prefix "${operation.deletePrefix}", which covers it`,
          )
        }
      }
    }
  }
  if (when.some(({ key }) => key === '') || otherwise.some(({ get }) => get === '')) throw emptyKey()
}

function operationKey(operation: Operation): string {
  if ('put' in operation) return operation.put
  if ('delete' in operation) return operation.delete
  if ('deletePrefix' in operation) return operation.deletePrefix
  return operation.get
}

export function emptyKey(): StoreError {
  return invalid('the key is empty')
}

function invalid(message: string): StoreError {
  return new StoreError('invalid-request', message)
}
