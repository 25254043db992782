import type { IStatusResponse } from 'etcd3';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';
import { holesOf, type KnownHole } from './known-holes.js';
import type { CoordLogger, Logger } from './logger.js';
import { hasIdentity, type ResolvedClientOptions } from './options.js';

/** A server that does not say who it is is asked again after this long, or on its next connection. */
const ASK_AGAIN_MS = 30_000;

interface Question {
  readonly askedAt: number;
  /** How many connections the endpoint had had by then. */
  readonly connections: number;
}

/** What each user's logger has been told already: the same fault of the same cluster is news once. */
const told = new WeakMap<Logger, Map<string, Set<KnownHole>>>();

/** Finds out, beside the calls, which server is behind an endpoint, and warns of its known faults. */
export class ServerIdentities {
  readonly #options: ResolvedClientOptions;
  readonly #logger: CoordLogger;
  readonly #status: (endpoint: Endpoint) => Promise<IStatusResponse>;
  readonly #questions = new Map<Endpoint, Question>();

  constructor(
    options: ResolvedClientOptions,
    logger: CoordLogger,
    status: (endpoint: Endpoint) => Promise<IStatusResponse>,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#status = status;
  }

  /** Asks the server in the background, unless that is under way or has just failed. */
  ask(endpoint: Endpoint): void {
    const { connections } = endpoint;
    const askedAt = monotonicNow();
    const last = this.#questions.get(endpoint);
    if (last?.connections === connections && askedAt < last.askedAt + ASK_AGAIN_MS) return;
    this.#questions.set(endpoint, { askedAt, connections });
    this.#status(endpoint).then(
      (status) => this.note(endpoint, status, connections),
      (error) => this.#logger.debug('no status', { endpoint: endpoint.url, error: String(error) }),
    );
  }

  /** @param connections how many the endpoint had had when it was asked */
  note(endpoint: Endpoint, status: IStatusResponse, connections: number): void {
    this.#questions.delete(endpoint);
    const { version } = status;
    const clusterId = status.header.cluster_id;
    endpoint.identify({ version, clusterId }, connections);
    this.#warn(endpoint, version, clusterId);
  }

  #warn(endpoint: Endpoint, version: string, clusterId: string): void {
    const { logger } = this.#options;
    if (logger === undefined) return;
    const clusters = told.get(logger) ?? new Map<string, Set<KnownHole>>();
    told.set(logger, clusters);
    const known = clusters.get(clusterId) ?? new Set<KnownHole>();
    clusters.set(clusterId, known);
    const news = holesOf(version, hasIdentity(this.#options)).filter((hole) => !known.has(hole));
    if (news.length === 0) return;
    for (const hole of news) known.add(hole);
    this.#logger.warn('this version of etcd has known faults; upgrade it', {
      endpoint: endpoint.url,
      version,
      cluster: BigInt(clusterId).toString(16),
      faults: news.map(({ what, fixedIn, see }) => `${what} (fixed in ${fixedIn.join(', ')}; ${see})`),
    });
  }
}
