import { AbortedError, ClosedError, type CoordClient, type Watch } from '@coord/client';
import { backoffDelayMs, type CoordLogger, delay, monotonicNow } from '@coord/client/internal';
import { type PresentKey, readKey } from './key-claim.js';
import { RETRY } from './retry.js';

/** How long a recovery waits for the news about its key from before the outage. */
const CATCH_UP_MS = 5_000;
const CATCH_UP_STEP_MS = 10;
/** What a step took beyond this was no waiting: the process stood still, and so did its watch. */
const STOOD_STILL_MS = 500;

export interface OwnKeyWatchOptions {
  readonly client: CoordClient;
  readonly key: string;
  readonly logger: CoordLogger;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly onPut: (present: PresentKey) => void;
  readonly onDelete: (revision: bigint) => void;
  /** etcd has gone back to before what was shown last: it was restored from a backup. */
  readonly onRewound: () => void;
}

/** Watches the key of a registration from its first write on: nothing that happens to it goes unseen. */
export class OwnKeyWatch {
  readonly #options: OwnKeyWatchOptions;
  /** What has been shown last. */
  #seen = { revision: 0n, present: true };
  #watch: Watch | undefined;

  constructor(options: OwnKeyWatchOptions) {
    this.#options = options;
  }

  /** @param revision that of the write after which to begin */
  start(revision: bigint): void {
    this.#seen = { revision, present: true };
    this.#keepFollowing().catch(() => undefined); // only the end of the registration ends it
  }

  /** After a recovery in another etcd, or one from a backup, its revisions are the ones that count. */
  async followFrom(revision: bigint): Promise<void> {
    if (revision >= this.#seen.revision) return;
    this.#seen = { revision, present: true };
    await this.#watch?.close();
  }

  /**
   * Resolves when the watch has shown the state that the key is in now: before registering again it has to be
   * known whether anybody has deregistered or replaced the instance meanwhile.
   * @returns whether the key may be created: where it is there, its absence would be such news, too
   */
  async caughtUp(signal: AbortSignal): Promise<boolean> {
    const { key, client, logger } = this.#options;
    const { kvs, revision } = await client.kv.range(key, { signal });
    const [kv] = kvs;
    if (revision < this.#seen.revision) return true; // another etcd, or one from a backup: there is no such news
    let waitedMs = 0;
    while (kv ? this.#seen.revision < kv.modRevision : this.#seen.present) {
      if (waitedMs > CATCH_UP_MS) {
        logger.warn('registering again without the news of the outage', { key });
        return true;
      }
      const from = monotonicNow();
      await delay(CATCH_UP_STEP_MS, signal);
      waitedMs += Math.min(monotonicNow() - from, STOOD_STILL_MS);
    }
    if (this.#options.signal.aborted) throw new AbortedError('ended meanwhile');
    return kv === undefined;
  }

  async #keepFollowing(): Promise<void> {
    const { key, logger, signal } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#follow();
      } catch (error) {
        if (signal.aborted || error instanceof ClosedError) return;
        logger.warn('own key not watched', { key, error });
      }
      await delay(backoffDelayMs(attempt, RETRY), signal);
    }
  }

  async #follow(): Promise<void> {
    const { client, key, signal } = this.#options;
    const { revision: seen, present } = this.#seen;
    // With our own write once more: a watch that has shown something notices when etcd has gone back to before it.
    const startRevision = present ? seen : seen + 1n;
    await using watch = client.watch(key, { startRevision, resync: 'snapshot', signal });
    this.#watch = watch;
    for await (const { events, resync, revision } of watch) {
      if (resync && revision < this.#seen.revision) {
        this.#onRewound(revision, events.length > 0);
        continue;
      }
      if (resync && events.length === 0) this.#onDelete(revision);
      for (const { type, kv } of events) {
        if (type === 'put') this.#onPut(readKey(kv));
        else this.#onDelete(kv.modRevision);
      }
    }
  }

  #onPut(present: PresentKey): void {
    if (this.#options.signal.aborted) return;
    this.#seen = { revision: present.kv.modRevision, present: true };
    this.#options.onPut(present);
  }

  #onRewound(revision: bigint, present: boolean): void {
    if (this.#options.signal.aborted) return;
    this.#seen = { revision, present };
    this.#options.onRewound();
  }

  #onDelete(revision: bigint): void {
    if (this.#options.signal.aborted) return;
    this.#seen = { revision, present: false };
    this.#options.onDelete(revision);
  }
}
