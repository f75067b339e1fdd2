import {
  InterceptingCall,
  status as GrpcStatus,
  type CallOptions,
  type Interceptor,
  type Metadata,
} from '@grpc/grpc-js'

export interface CallStatus {
  code: GrpcStatus
  details: string
}

/** A call or stream of etcd3's as gRPC sees it. */
export interface ObservedCall {
  /** To be handed to the method of etcd3's client. */
  readonly options: CallOptions
  /** How it ended; undefined before that, and if it never reached gRPC. */
  readonly status: CallStatus | undefined
  /** `why` becomes the details of its status. */
  cancel(why?: string): void
}

/**
 * A call under etcd3 that carries metadata, can be cancelled and tells its status unchanged. etcd3 itself gives
 * a caller none of the three, and reads more into a status than we want: after a failure that it takes for a passing
 * one it closes the member's channel under all other calls, and with a refused token it sends the call once more. It
 * is therefore shown the same plain status for every failure, on which it does nothing.
 */
export function observeCall(metadata: Metadata, ended: () => void): ObservedCall {
  let status: CallStatus | undefined
  let cancelled: string | undefined
  let cancel: ((why: string) => void) | undefined
  const interceptor: Interceptor = (options, nextCall) => {
    const call = nextCall(options)
    return new InterceptingCall(call, {
      start(given, _listener, next) {
        given.merge(metadata)
        next(given, {
          onReceiveStatus(received, pass) {
            status = { code: received.code, details: received.details }
            ended()
            pass(received.code === GrpcStatus.OK ? received : { ...received, ...shownToEtcd3 })
          },
        })
        cancel = (why) => call.cancelWithStatus(GrpcStatus.CANCELLED, why)
        if (cancelled !== undefined) cancel(cancelled)
      },
    })
  }
  return {
    options: { interceptors: [interceptor] },
    get status() {
      return status
    },
    cancel(why = 'cancelled') {
      cancelled = why
      cancel?.(why)
    },
  }
}

const shownToEtcd3: CallStatus = {
  code: GrpcStatus.FAILED_PRECONDITION,
  details: 'the call failed; its status has been kept',
}
