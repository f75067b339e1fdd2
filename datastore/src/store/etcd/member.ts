import { Duplex } from 'node:stream'
import {
  Channel,
  connectivityState as ConnectivityState,
  Metadata,
  status as GrpcStatus,
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
} from '@grpc/grpc-js'
import { type Clock } from '@network/net'
import { noop } from 'cockatiel'
import { Etcd3, type IDuplexStream } from 'etcd3'
import { observeCall, type CallStatus, type ObservedCall } from './observed-call.ts'
import { type Endpoint } from './options.ts'

/**
 * Pings find out within twelve seconds that a member with a call or watch under way has gone silent; etcd counts
 * more than one in five seconds as abuse. Nothing is repeated by gRPC on its own, proxies of the environment are
 * not for us, and each channel has a connection of its own, so that a dead one can be thrown away.
 */
const channelOptions: ChannelOptions = {
  'grpc.keepalive_time_ms': 8000,
  'grpc.keepalive_timeout_ms': 4000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
}

/** A method of one of etcd3's RPC clients with its request: `(etcd, options) => etcd.kv.range(…, options)`. */
export type UnaryCall<Response> = (etcd: Etcd3, options: CallOptions) => Promise<Response>
export type StreamCall<Request, Response> = (
  etcd: Etcd3,
  options: CallOptions,
) => Promise<IDuplexStream<Request, Response>>

export type Answer<T> =
  { ok: true; value: T } | { ok: false; code: GrpcStatus; text: string; timedOut: boolean }

export interface EtcdStream<Request, Response> {
  readonly url: string
  /** Ends, or fails with whatever, when the stream does; `status` then tells why. */
  readonly responses: AsyncIterable<Response>
  readonly status: CallStatus | undefined
  write(request: Request): void
  /** `why` becomes the details of its status. */
  cancel(why?: string): void
}

/** A client of etcd3 for one member, and the channel that all its services share. */
interface Client {
  etcd: Etcd3
  channel: Channel
}

/** One endpoint of the cluster and the connection to it. It never repeats anything by itself. */
export class Member {
  readonly url: string
  readonly #clock: Clock
  readonly #address: string
  readonly #credentials: ChannelCredentials
  readonly #calls = new Set<ObservedCall>()
  #client: Client

  constructor(modules: { clock: Clock }, options: { endpoint: Endpoint; credentials: ChannelCredentials }) {
    this.#clock = modules.clock
    this.url = options.endpoint.url
    this.#address = options.endpoint.address
    this.#credentials = options.credentials
    this.#client = this.#newClient()
  }

  #newClient(): Client {
    const channel = new Channel(this.#address, this.#credentials, channelOptions)
    const etcd = new Etcd3({
      hosts: this.#address,
      grpcOptions: { channelOverride: channel },
      faultHandling: { host: () => noop, global: noop },
    })
    return { etcd, channel }
  }

  isReady(): boolean {
    return this.#client.channel.getConnectivityState(false) === ConnectivityState.READY
  }

  /** Tries to connect until it succeeds (undefined) or fails once (why). `timeoutMs` bounds the wait. */
  async connect(timeoutMs: number): Promise<string | undefined> {
    const giveUpAt = this.#clock.now() + timeoutMs
    const { channel } = this.#client
    for (;;) {
      const state = channel.getConnectivityState(true)
      if (state === ConnectivityState.READY) return undefined
      if (state === ConnectivityState.SHUTDOWN) return 'closed'
      if (state === ConnectivityState.TRANSIENT_FAILURE) return await this.#whyNotConnected()
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, giveUpAt, (error) => resolve(error === undefined))
      })
      if (!changed) return 'no answer'
    }
  }

  /** gRPC keeps the cause of a failed connection to itself until a call fails on it: a read that nobody waits for. */
  async #whyNotConnected(): Promise<string | undefined> {
    const answer = await this.call(
      (etcd, options) => etcd.kv.range({ key: Buffer.from([0]), limit: 1, keys_only: true }, options),
      new Metadata(),
      1000,
    )
    if (answer.ok || answer.code !== GrpcStatus.UNAVAILABLE) return undefined
    return answer.text
      .replace(/^No connection established\.( Last error:)? ?/, '')
      .replace(/ ?\(\d{4}-\d\d-\d\dT[^)]*\)$/, '')
      .replace(/ Resolution note: $/, '')
  }

  async call<Response>(
    send: UnaryCall<Response>,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Answer<Response>> {
    const call = this.#observe(metadata)
    let timedOut = false
    const timer = this.#clock.setTimeout(() => {
      timedOut = true
      call.cancel()
    }, timeoutMs)
    try {
      return { ok: true, value: await send(this.#client.etcd, call.options) }
    } catch (error) {
      const { code, details } = call.status ?? { code: GrpcStatus.UNKNOWN, details: String(error) }
      return { ok: false, code, text: details, timedOut }
    } finally {
      timer.cancel()
      this.#calls.delete(call)
    }
  }

  async openStream<Request, Response>(
    open: StreamCall<Request, Response>,
    metadata: Metadata,
  ): Promise<EtcdStream<Request, Response>> {
    const call = this.#observe(metadata)
    const stream = await open(this.#client.etcd, call.options)
    return {
      url: this.url,
      responses: responsesOf(stream),
      get status() {
        return call.status
      },
      write: (request) => stream.write(request),
      cancel: (why) => call.cancel(why),
    }
  }

  #observe(metadata: Metadata): ObservedCall {
    const call = observeCall(metadata, () => this.#calls.delete(call))
    this.#calls.add(call)
    return call
  }

  /** Leaves a connection that didn't answer; calls under way on it go on until their own end. */
  renewConnection(): void {
    const { channel } = this.#client
    this.#client = this.#newClient()
    channel.close()
  }

  close(): void {
    for (const call of this.#calls) call.cancel()
    this.#client.channel.close()
  }
}

/** What etcd3 hands out as a stream of its own description is one of Node's, with back-pressure. */
function responsesOf<Response>(stream: IDuplexStream<unknown, Response>): AsyncIterable<Response> {
  if (!(stream instanceof Duplex)) throw new TypeError('etcd3 opened a stream that is none of Node’s')
  return stream
}
