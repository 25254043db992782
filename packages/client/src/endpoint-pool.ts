import { monotonicNow } from './clock.js';
import { Endpoint } from './endpoint.js';
import type { EndpointFailure } from './errors.js';
import type { EndpointHealth, Health } from './health.js';
import type { CoordLogger } from './logger.js';
import { hasIdentity, type ResolvedClientOptions } from './options.js';
import { capabilitiesOf, type ServerCapabilities } from './server-capabilities.js';
import { lowestVersion } from './server-version.js';
import { TlsCredentials } from './tls.js';
import { assertValid, checkFunction } from './validation.js';

/** Who needs to know more than health says. */
export interface PoolObserver {
  /** An endpoint whose identity is not known has answered. */
  answered(endpoint: Endpoint): void;
  failed(endpoint: Endpoint): void;
  recovered(endpoint: Endpoint): void;
}

interface Member {
  readonly url: string;
  endpoint: Endpoint | undefined;
  state: EndpointHealth['state'];
  reason: string | undefined;
  failedAt: number;
}

/**
 * The endpoints and which of them is in use.
 *
 * The choice is sticky: one healthy endpoint serves everything, so that reads, watches and
 * keepalives of this process see one member's view. A failure moves on to one that is not known to
 * be unhealthy, else to the endpoint whose own last failure is the longest ago.
 */
export class EndpointPool implements Health {
  readonly #members: readonly Member[];
  readonly #options: ResolvedClientOptions;
  readonly #logger: CoordLogger;
  readonly #subscribers = new Set<(health: Health) => void>();
  readonly #observer: PoolObserver | undefined;
  #tls: TlsCredentials | undefined;
  #current: Member;
  #capabilities: ServerCapabilities | undefined;
  #closed = false;

  constructor(options: ResolvedClientOptions, logger: CoordLogger, observer?: PoolObserver) {
    this.#observer = observer;
    this.#options = options;
    this.#logger = logger;
    this.#members = options.endpoints.map((url) => ({
      url,
      endpoint: undefined,
      state: 'unknown',
      reason: undefined,
      failedAt: Number.NEGATIVE_INFINITY,
    }));
    // Spread the clients of a cluster over its members.
    const first = this.#members[Math.floor(Math.random() * this.#members.length)];
    if (first === undefined) throw new RangeError('no endpoints');
    this.#current = first;
  }

  /**
   * The endpoint in use.
   * @throws {ValidationError} when a TLS file cannot be used
   */
  get current(): Endpoint {
    return this.#open(this.#current);
  }

  get all(): readonly Endpoint[] {
    return this.#members.map((member) => this.#open(member));
  }

  get size(): number {
    return this.#members.length;
  }

  /** Every endpoint that is known to have failed, and why. */
  get failures(): readonly EndpointFailure[] {
    return this.#members.flatMap(({ url, reason }) =>
      reason === undefined ? [] : [{ endpoint: url, reason }],
    );
  }

  /** This endpoint answered: it is healthy, and in use if the present one is not. */
  succeeded(endpoint: Endpoint): void {
    endpoint.heard();
    if (endpoint.identity === undefined) this.#observer?.answered(endpoint);
    const member = this.#memberOf(endpoint);
    if (member.state === 'healthy') return;
    member.state = 'healthy';
    member.reason = undefined;
    this.#observer?.recovered(endpoint);
    if (this.#current.state !== 'healthy') this.#current = member;
    this.#changed();
  }

  /** This endpoint failed: if it is the one in use, move on to another. */
  failed(endpoint: Endpoint, reason: string): void {
    const member = this.#memberOf(endpoint);
    member.failedAt = monotonicNow();
    const wasUnhealthy = member.state === 'unhealthy';
    const known = wasUnhealthy && member.reason === reason;
    member.state = 'unhealthy';
    member.reason = reason;
    this.#observer?.failed(endpoint);
    if (member === this.#current) {
      this.#current = this.#members.reduce((best, each) => (isBetter(each, best) ? each : best));
      if (this.#current !== member && !wasUnhealthy) {
        this.#logger.warn('endpoint failed, moving on', {
          endpoint: member.url,
          next: this.#current.url,
          reason,
        });
      }
    }
    if (!known) this.#changed();
  }

  /**
   * This endpoint's line is silent: a deadline passed without an answer, or a watchdog found nothing.
   * It has failed, and what is opened on it next gets a new connection, with a single endpoint as
   * well; what still runs on the old one may finish.
   * @param awaitedSince since when an answer has been awaited, on the monotonic clock: an endpoint that has
   * been heard of lately, in view of that, or whose connection is newer, keeps its connection
   */
  unresponsive(endpoint: Endpoint, reason: string, awaitedSince = monotonicNow()): void {
    this.failed(endpoint, reason);
    if (!this.#closed) endpoint.renew(awaitedSince);
  }

  /**
   * What the server behind an endpoint can do. All members apply what one of them accepts, so the
   * lowest version that is known counts; but a member that has not been heard of does not.
   */
  capabilities(endpoint: Endpoint): ServerCapabilities {
    let version = endpoint.identity?.version;
    if (version !== undefined) {
      for (const { endpoint: other } of this.#members) {
        const known = other?.identity?.version;
        if (known !== undefined && known !== version) version = lowestVersion([version, known]) ?? version;
      }
    }
    // This is asked for each call, and the answer hardly ever changes.
    if (this.#capabilities === undefined || this.#capabilities.version !== version) {
      this.#capabilities = capabilitiesOf(version, hasIdentity(this.#options));
    }
    return this.#capabilities;
  }

  get state(): Health['state'] {
    if (this.#closed) return 'closed';
    const states = { unknown: 'idle', healthy: 'ready', unhealthy: 'degraded' } as const;
    return states[this.#current.state];
  }

  get endpoint(): string {
    return this.#current.url;
  }

  get endpoints(): readonly EndpointHealth[] {
    return this.#members.map(({ url, state, reason }) => ({
      endpoint: url,
      state,
      ...(reason === undefined ? {} : { reason }),
    }));
  }

  subscribe(callback: (health: Health) => void): () => void {
    assertValid(checkFunction([], 'callback', callback));
    this.#subscribers.add(callback);
    return () => this.#subscribers.delete(callback);
  }

  close(): void {
    this.#closed = true;
    for (const { endpoint } of this.#members) endpoint?.close();
    this.#changed();
    this.#subscribers.clear();
  }

  #open(member: Member): Endpoint {
    const { tls } = this.#options;
    if (member.url.startsWith('https:')) this.#tls ??= new TlsCredentials(tls ?? {}, this.#logger);
    member.endpoint ??= new Endpoint(member.url, this.#options, this.#tls);
    return member.endpoint;
  }

  #memberOf(endpoint: Endpoint): Member {
    const member = this.#members.find((each) => each.endpoint === endpoint);
    if (member === undefined) throw new RangeError(`not an endpoint of this pool: ${endpoint.url}`);
    return member;
  }

  #changed(): void {
    for (const callback of this.#subscribers) {
      try {
        callback(this);
      } catch (error) {
        this.#logger.error('a health subscriber threw', { error });
      }
    }
  }
}

function isBetter(one: Member, other: Member): boolean {
  const [sick, otherSick] = [one.state === 'unhealthy', other.state === 'unhealthy'];
  return sick === otherSick ? one.failedAt < other.failedAt : otherSick;
}
