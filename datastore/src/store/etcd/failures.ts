import { status as GrpcStatus } from '@grpc/grpc-js'
import { StoreError, type StoreErrorCode } from '../store.ts'

/*
 * What a failed gRPC call means for a Store. etcd's own errors are told apart by their text, which is how the protocol
 * carries them (etcdserver/api/v3rpc/rpctypes); everything else is gRPC's status.
 */

/** How an attempt at one member ended. */
export type Failure =
  /** The server's verdict: it won't be different elsewhere. Nothing was written. */
  | { kind: 'final'; error: StoreError }
  /** The server refused before doing anything: another member, or the same one later, may do it. */
  | { kind: 'not-done'; reason: string }
  /** The token has expired. Nothing was written. */
  | { kind: 'token' }
  /** The answer didn't come: it may or may not have been done. */
  | { kind: 'unknown'; reason: string }

const serverVerdicts: Record<string, { code: StoreErrorCode; remedy: string }> = {
  'etcdserver: permission denied': {
    code: 'permission',
    remedy: 'grant the etcd user a role for these keys (etcdctl role grant-permission)',
  },
  'etcdserver: authentication failed, invalid user ID or password': {
    code: 'authentication',
    remedy: 'check the etcd user name and password',
  },
  'etcdserver: user name is empty': {
    code: 'authentication',
    remedy:
      'this etcd asks for a user name and password: give both, or a client certificate whose CN is a user',
  },
  'etcdserver: user name not found': { code: 'authentication', remedy: 'check the etcd user name' },
  'etcdserver: request is too large': {
    code: 'too-large',
    remedy: "store less in one value, split the transaction, or raise etcd's --max-request-bytes",
  },
  'etcdserver: too many operations in txn request': {
    code: 'too-large',
    remedy: "split the transaction, or raise etcd's --max-txn-ops",
  },
  'etcdserver: mvcc: database space exceeded': {
    code: 'no-space',
    remedy: 'compact and defragment etcd, then disarm the alarm (etcdctl compact, defrag, alarm disarm)',
  },
  'etcdserver: corrupt cluster': {
    code: 'no-space',
    remedy: 'etcd found a damaged member (etcdctl alarm list): replace it',
  },
  'etcdserver: requested lease not found': { code: 'lease-lost', remedy: 'take a new lease' },
  'etcdserver: mvcc: required revision has been compacted': {
    code: 'compacted',
    remedy: 'read the newest revision',
  },
  'etcdserver: mvcc: required revision is a future revision': {
    code: 'invalid-request',
    remedy: 'read a revision that exists; after a restore from a backup revisions begin lower',
  },
  'etcdserver: duplicate key given in txn request': { code: 'invalid-request', remedy: 'name each key once' },
  'etcdserver: key is not provided': { code: 'invalid-request', remedy: 'give a key' },
}

const refusedBeforehand = new Set([
  'etcdserver: no leader',
  'etcdserver: not leader',
  'etcdserver: too many requests',
  'etcdserver: rpc not supported for learner',
  'etcdserver: not capable',
])

const expiredToken = new Set([
  'etcdserver: invalid auth token',
  'etcdserver: revision of auth store is old',
  'auth: revision in header is old',
])

/** `where` is the endpoint's URL. */
export function failureOf(code: GrpcStatus, text: string, where: string): Failure {
  const verdict = serverVerdicts[text]
  if (verdict) {
    const { code: storeCode, remedy } = verdict
    return {
      kind: 'final',
      error: new StoreError(storeCode, `etcd at ${where} refused: ${text}`, {
        remedy,
        details: { endpoint: where },
      }),
    }
  }
  if (expiredToken.has(text)) return { kind: 'token' }
  if (refusedBeforehand.has(text)) return { kind: 'not-done', reason: text }
  switch (code) {
    case GrpcStatus.RESOURCE_EXHAUSTED:
      return {
        kind: 'final',
        error: new StoreError('too-large', `etcd at ${where} refused the size of the request: ${text}`, {
          remedy: 'store less in one value, or split the transaction',
        }),
      }
    case GrpcStatus.PERMISSION_DENIED:
      return {
        kind: 'final',
        error: new StoreError('permission', `etcd at ${where} refused: ${text}`, {
          remedy: 'grant the etcd user a role for these keys',
        }),
      }
    case GrpcStatus.INVALID_ARGUMENT:
    case GrpcStatus.FAILED_PRECONDITION:
    case GrpcStatus.OUT_OF_RANGE:
    case GrpcStatus.NOT_FOUND:
    case GrpcStatus.UNIMPLEMENTED:
      return {
        kind: 'final',
        error: new StoreError('invalid-request', `etcd at ${where} refused: ${text}`, {
          remedy: 'check that the endpoint is an etcd of version 3.4 or later',
        }),
      }
    default:
      return { kind: 'unknown', reason: text }
  }
}

const certificateTroubles =
  /certificate|self.signed|CERT_|altname|unable to (get|verify)|wrong version number|alert|EPROTO|secure TLS/i

/** Why a connection couldn't be made, from the words of OpenSSL and Node. */
export function isCertificateTrouble(reason: string): boolean {
  return certificateTroubles.test(reason)
}
