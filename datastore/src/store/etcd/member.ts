import {
  Client,
  connectivityState as ConnectivityState,
  Metadata,
  status as GrpcStatus,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
} from '@grpc/grpc-js'
import { type Clock } from '@network/net'
import { methods, type Method } from './messages.ts'
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

export type Answer<T> =
  { ok: true; value: T } | { ok: false; code: GrpcStatus; text: string; timedOut: boolean }

/** One endpoint of the cluster and the connection to it. It never repeats anything by itself. */
export class Member {
  readonly url: string
  readonly #clock: Clock
  readonly #address: string
  readonly #credentials: ChannelCredentials
  readonly #calls = new Set<{ cancel(): void }>()
  #client: Client

  constructor(modules: { clock: Clock }, options: { endpoint: Endpoint; credentials: ChannelCredentials }) {
    this.#clock = modules.clock
    this.url = options.endpoint.url
    this.#address = options.endpoint.address
    this.#credentials = options.credentials
    this.#client = this.#newClient()
  }

  #newClient(): Client {
    return new Client(this.#address, this.#credentials, channelOptions)
  }

  isReady(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === ConnectivityState.READY
  }

  /** Tries to connect until it succeeds (undefined) or fails once (why). `timeoutMs` bounds the wait. */
  async connect(timeoutMs: number): Promise<string | undefined> {
    const giveUpAt = this.#clock.now() + timeoutMs
    const channel = this.#client.getChannel()
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
      methods.range,
      { key: '\0', limit: 1, keysOnly: true },
      new Metadata(),
      1000,
    )
    if (answer.ok || answer.code !== GrpcStatus.UNAVAILABLE) return undefined
    return answer.text
      .replace(/^No connection established\.( Last error:)? ?/, '')
      .replace(/ ?\(\d{4}-\d\d-\d\dT[^)]*\)$/, '')
      .replace(/ Resolution note: $/, '')
  }

  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Answer<Response>> {
    return new Promise((resolve) => {
      let timedOut = false
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.serialize,
        method.deserialize,
        request,
        metadata,
        (error, value) => {
          timer.cancel()
          this.#calls.delete(call)
          if (error) resolve({ ok: false, code: error.code, text: error.details, timedOut })
          else if (value === undefined) {
            resolve({ ok: false, code: GrpcStatus.INTERNAL, text: 'an answer without content', timedOut })
          } else resolve({ ok: true, value })
        },
      )
      this.#calls.add(call)
      const timer = this.#clock.setTimeout(() => {
        timedOut = true
        call.cancel()
      }, timeoutMs)
    })
  }

  openStream<Request, Response>(
    method: Method<Request, Response>,
    metadata: Metadata,
  ): ClientDuplexStream<Request, Response> {
    const stream = this.#client.makeBidiStreamRequest(
      method.path,
      method.serialize,
      method.deserialize,
      metadata,
    )
    this.#calls.add(stream)
    stream.on('error', () => {
      // Told to the reader of the stream too; without a listener it would end the process.
    })
    stream.once('status', () => {
      this.#calls.delete(stream)
    })
    return stream
  }

  /** Leaves a connection that didn't answer; calls under way on it go on until their own end. */
  renewConnection(): void {
    const old = this.#client
    this.#client = this.#newClient()
    old.close()
  }

  close(): void {
    for (const call of this.#calls) call.cancel()
    this.#client.close()
  }
}
