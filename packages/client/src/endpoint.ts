import { monotonicNow } from './clock.js';
import { EndpointSockets } from './endpoint-sockets.js';
import { type Connection, EtcdChannel, type ServiceName } from './etcd-channel.js';
import type { ResolvedClientOptions } from './options.js';
import type { StreamRpcs, UnaryRpcs } from './rpc.js';
import { Silence } from './silence.js';
import type { TlsCredentials } from './tls.js';

/** How long a new connection may take to show life before it is suspected in its turn: at first, and at most. */
const MIN_TRIAL_MS = 1_000;
const MAX_TRIAL_MS = 30_000;

/** What a member says of itself. */
export interface ServerIdentity {
  /** Such as `3.5.16`. */
  readonly version: string;
  readonly clusterId: string;
}

/** One member of the cluster, and the connection to it. */
export class Endpoint {
  readonly url: string;
  readonly #options: ResolvedClientOptions;
  readonly #tls: TlsCredentials | undefined;
  readonly #sockets: EndpointSockets;
  readonly #silence: Silence;
  #channel: EtcdChannel;
  #openedAt = monotonicNow();
  #heardAt = Number.NEGATIVE_INFINITY;
  #trialMs = MIN_TRIAL_MS;
  #identity: ServerIdentity | undefined;
  /** The number of connections at the time of the last {@link identify}. */
  #identifiedAt = -1;

  /** @param tls undefined = plain text */
  constructor(url: string, options: ResolvedClientOptions, tls: TlsCredentials | undefined) {
    this.url = url;
    this.#options = options;
    this.#tls = tls;
    this.#silence = new Silence(options.requestTimeoutMs);
    this.#sockets = new EndpointSockets(url, options.dialTimeoutMs);
    this.#channel = new EtcdChannel(url, options, this.#sockets, tls);
  }

  /** The service client for a call. */
  connection(service: ServiceName, method: keyof (UnaryRpcs & StreamRpcs)): Connection | Promise<Connection> {
    return this.#channel.connection(service, method);
  }

  /** Whether a call would be sent at once: the hot path, without a promise. */
  get connected(): boolean {
    return this.#channel.connected;
  }

  /** Resolves when it is connected, or when that has failed: a call then fails at once and says why. */
  connect(): Promise<void> {
    return this.#channel.connect();
  }

  /** What it said of itself, unless it has been connected anew since: it may have been replaced. */
  get identity(): ServerIdentity | undefined {
    return this.#identifiedAt === this.#sockets.made ? this.#identity : undefined;
  }

  /** How many connections have been made to it so far. */
  get connections(): number {
    return this.#sockets.made;
  }

  /** @param connections how many there were when it was asked */
  identify(identity: ServerIdentity, connections: number): void {
    this.#identity = identity;
    this.#identifiedAt = connections;
  }

  /** It has just answered something. */
  heard(): void {
    this.#heardAt = monotonicNow();
    this.#trialMs = MIN_TRIAL_MS;
    this.#silence.broken();
  }

  /** A call that has waited since that moment has been given up. @returns whether the endpoint is to blame */
  owesAnswer(awaitedSince: number): boolean {
    return this.#silence.lasts(awaitedSince);
  }

  /**
   * An answer has been awaited since that moment in vain: whatever is opened next gets a new connection,
   * and what runs on the old one may finish. A line that dies without a reset is otherwise used for as
   * long as HTTP/2 pings take to notice. A connection stays that has brought something else in the later
   * half of that time (an answer may have been on its way when the line died), that is younger, or that
   * is still on trial.
   */
  renew(awaitedSince: number): void {
    const now = monotonicNow();
    if (this.#heardAt > (awaitedSince + now) / 2 || this.#openedAt > awaitedSince) return;
    if (this.#openedAt > this.#heardAt) {
      if (now < this.#openedAt + this.#trialMs) return;
      this.#trialMs = Math.min(this.#trialMs * 2, MAX_TRIAL_MS);
    }
    const old = this.#channel;
    this.#channel = new EtcdChannel(this.url, this.#options, this.#sockets, this.#tls);
    this.#openedAt = now;
    old.retire();
  }

  /** Disconnects at once. */
  close(): void {
    this.#channel.close();
    this.#sockets.close();
  }
}
