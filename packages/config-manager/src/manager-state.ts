import { ValidationError } from '@coord/client';
import type { CoordLogger } from '@coord/client/internal';
import type {
  ConfigErrorSource,
  ConfigManagerEvent,
  ConfigManagerState,
  ConfigManagerStatus,
  ConfigRejection,
  ConfigSource,
} from './config-manager-types.js';
import { EventStreams } from './event-streams.js';
import type { SuppliedPart } from './layer.js';
import { makeStatus } from './make-status.js';
import { Subscribers } from './subscribers.js';
import type { UpdateCounter } from './update-counter.js';

/** Where the present configuration comes from. */
export interface Origin {
  readonly source: ConfigSource;
  readonly version: number;
  readonly revision: bigint;
  /** What it was made of, the lowest layer first; the defaults go without saying. */
  readonly parts: readonly SuppliedPart[];
}

const FROM_DEFAULTS: Origin = { source: 'default', version: 0, revision: 0n, parts: [] };

/** Where a manager stands, and the telling of it: each change of it is an event and a line in the log. */
export class ManagerState<T> {
  readonly key: string;
  readonly logger: CoordLogger;
  readonly events = new EventStreams<ConfigManagerEvent<T>>();
  readonly subscribers = new Subscribers<T>((error) => this.report('subscriber', error));
  readonly #updates: UpdateCounter | undefined;
  #current: Readonly<T>;
  #origin: Origin = FROM_DEFAULTS;
  #appliedAt: Date | undefined;
  #absent = false;
  #rejected: ConfigRejection | undefined;
  #lastError: unknown;
  #state: ConfigManagerState = 'idle';

  constructor(key: string, initial: Readonly<T>, logger: CoordLogger, updates: UpdateCounter | undefined) {
    this.key = key;
    this.logger = logger;
    this.#updates = updates;
    this.#current = initial;
  }

  get current(): Readonly<T> {
    return this.#current;
  }

  get origin(): Origin {
    return this.#origin;
  }

  /** The key is known to be absent from the centre. */
  get absent(): boolean {
    return this.#absent;
  }

  get rejected(): ConfigRejection | undefined {
    return this.#rejected;
  }

  get lastError(): unknown {
    return this.#lastError;
  }

  /** Started, and not being stopped. */
  get following(): boolean {
    return this.#state === 'ready' || this.#state === 'degraded';
  }

  status(stale: boolean): ConfigManagerStatus {
    return makeStatus({
      state: this.#state,
      source: this.#origin.source,
      version: this.#origin.version,
      revision: this.#origin.revision,
      layers: this.#origin.parts.map(({ layer, key, version, revision }) => ({
        layer,
        key,
        version,
        revision,
      })),
      appliedAt: this.#appliedAt,
      stale,
      absent: this.#absent,
      rejected: this.#rejected,
      lastError: this.#lastError,
    });
  }

  moveTo(state: ConfigManagerState): void {
    if (this.#state === state) return;
    this.#state = state;
    const level = state === 'degraded' || state === 'failed' ? 'warn' : 'info';
    this.logger[level](`config manager ${state}`, { key: this.key });
    this.events.emit({ type: 'state', state });
  }

  /** The defaults as the schema makes them, before anything else was in use. */
  useDefaults(defaults: Readonly<T>): void {
    this.#current = defaults;
  }

  /** The swap: one assignment, so nobody sees half of it. */
  swap(next: Readonly<T>, origin: Origin): void {
    this.#current = next;
    this.#origin = origin;
    this.#appliedAt = new Date();
  }

  tellApplied(previous: Readonly<T>): void {
    const { source, version, revision } = this.#origin;
    const fields = { key: this.key, source, version, revision: String(revision) };
    this.logger.info('config applied', fields);
    this.#updates?.add('applied');
    this.events.emit({ type: 'applied', current: this.#current, previous, source, version, revision });
  }

  present(absent: boolean): void {
    this.#absent = absent;
  }

  tellDeleted({ version, revision }: { readonly version: number; readonly revision: bigint }): void {
    this.logger.warn('config was deleted', { key: this.key });
    this.#updates?.add('deleted');
    this.events.emit({ type: 'deleted', version, revision });
  }

  reject(rejected: ConfigRejection): void {
    this.#rejected = rejected;
    const { phase, version, revision, issues } = rejected;
    const paths = issues.map((issue) => issue.path); // a message might quote the value
    const fields = { key: this.key, phase, version, revision: String(revision), paths };
    this.logger.warn('config refused', fields);
    this.#updates?.add('rejected', phase);
    this.events.emit({ type: 'rejected', ...rejected });
  }

  /** What etcd has is in use again. */
  recover(): void {
    if (this.#rejected === undefined) return;
    this.#rejected = undefined;
    const { version, revision } = this.#origin;
    this.logger.info('config recovered', { key: this.key, version, revision: String(revision) });
    this.events.emit({ type: 'recovered', version, revision });
  }

  report(during: ConfigErrorSource, error: unknown): void {
    this.#lastError = error;
    // The message of a ValidationError might quote the value; its paths do not.
    const what =
      error instanceof ValidationError ? { paths: error.issues.map(({ path }) => path) } : { error };
    this.logger.warn('config manager: something failed', { key: this.key, during, ...what });
    this.events.emit({ type: 'error', during, error });
  }
}
