import * as grpc from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions, type Services } from 'etcd3';
import type { EndpointSockets } from './endpoint-sockets.js';
import { CoordError } from './errors.js';
import type { ResolvedClientOptions } from './options.js';
import { hasMethod, type ServiceClient, type StreamRpcs, type UnaryRpcs } from './rpc.js';
import type { TlsCredentials } from './tls.js';
import { hostOf, TlsChannelCredentials } from './tls-channel-credentials.js';

export type ServiceName = keyof typeof Services;

/** A service client of one channel, and metadata that its grpc-js accepts. */
export interface Connection {
  readonly client: ServiceClient;
  /** Shared: clone before changing. */
  readonly metadata: grpc.Metadata;
}

/**
 * How every etcd3 instance is made. The fault policies are no-ops, because etcd3's retry applies
 * writes twice and its circuit breaker refuses every call for five seconds after harmless errors.
 */
export function etcd3Options(
  hosts: string | string[],
  options: ResolvedClientOptions,
  more: grpc.ClientOptions = {},
): IOptions {
  return {
    hosts,
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': options.keepAliveTimeMs,
      'grpc.keepalive_timeout_ms': options.keepAliveTimeoutMs,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.min_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.enable_http_proxy': 0, // grpc-js would send etcd calls to a web proxy named in the environment
      ...(options.tls?.serverName ? { 'grpc.ssl_target_name_override': options.tls.serverName } : {}),
      ...more,
    },
  };
}

/**
 * One HTTP/2 connection to a member, through etcd3, which has the protos, codecs and service
 * clients. grpc-js connects at the first call, and again when the connection breaks.
 */
export class EtcdChannel extends Etcd3 {
  readonly #connections = new Map<ServiceName, Connection | Promise<Connection>>();
  readonly #shared: { channel?: grpc.ChannelInterface };
  #connecting: Promise<void> | undefined;

  /** @param tls undefined = plain text */
  constructor(
    url: string,
    options: ResolvedClientOptions,
    sockets: EndpointSockets,
    tls: TlsCredentials | undefined,
  ) {
    const shared: { channel?: grpc.ChannelInterface } = {};
    const serverName = options.tls?.serverName ?? hostOf(url);
    super(
      etcd3Options(url, options, {
        // All services share one channel, and it shares its connection with no other channel.
        'grpc.use_local_subchannel_pool': 1,
        channelFactoryOverride: (address, own, args) => {
          const credentials = () => (tls ? new TlsChannelCredentials(tls.current, serverName) : own);
          shared.channel ??= new grpc.Channel(address, sockets.track(credentials), args);
          return shared.channel;
        },
      }),
    );
    this.#shared = shared;
  }

  /** The service client for a call; made once for each service, and from then on at hand without a promise. */
  connection(service: ServiceName, method: keyof (UnaryRpcs & StreamRpcs)): Connection | Promise<Connection> {
    let connection = this.#connections.get(service);
    if (connection === undefined) {
      connection = this.pool.withConnection(service, ({ client, metadata }) => {
        if (!hasMethod(client, method)) {
          throw new CoordError(
            'COORD_INCOMPATIBLE',
            `etcd3 has no ${service}.${method}; install etcd3 1.1.2`,
          );
        }
        const made = { client, metadata };
        this.#connections.set(service, made);
        return made;
      });
      this.#connections.set(service, connection);
    }
    return connection;
  }

  /** Whether a call would be sent at once. */
  get connected(): boolean {
    return this.#shared.channel?.getConnectivityState(false) === grpc.connectivityState.READY;
  }

  /** Resolves when it is connected, or when that has failed: the call then fails at once and says why. */
  async connect(): Promise<void> {
    await this.connection('KV', 'range');
    this.#connecting ??= this.#settled().finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }

  async #settled(): Promise<void> {
    const { channel } = this.#shared;
    const { IDLE, CONNECTING } = grpc.connectivityState;
    for (;;) {
      const state = channel?.getConnectivityState(false);
      if (channel === undefined || (state !== IDLE && state !== CONNECTING)) return;
      if (state === IDLE) channel.getConnectivityState(true); // on a closed channel this would connect all the same
      await new Promise<void>((resolve) => {
        channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => resolve());
      });
    }
  }

  /**
   * Takes no new call. What runs may finish: grpc-js closes the connection when its last stream has
   * ended, and its pings end the streams of a dead one.
   */
  retire(): void {
    // Whoever has just been given the connection starts his call in this turn of the event loop.
    setImmediate(() => this.close());
  }

  override close(): void {
    this.#shared.channel?.close(); // first: etcd3 waits for a channel that is still connecting
    super.close();
  }
}
