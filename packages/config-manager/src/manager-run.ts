import { TimeoutError } from '@coord/client';
import { Wait } from '@coord/client/internal';
import type { Candidate } from './candidate.js';
import { Deferred } from './deferred.js';
import type { Follower } from './follower.js';
import { LatestQueue } from './latest-queue.js';

/** What lives from one `start` to the next `stop`. */
export class ManagerRun {
  readonly queue: LatestQueue<Candidate>;
  follower: Follower | undefined;
  /** What the centre said last. */
  latest: Candidate | undefined;
  /** Resolves when what the centre said first has been worked off. */
  readonly first = new Deferred();
  /** Whether that has happened. */
  synced = false;
  readonly #stop = new AbortController();
  #changed = new Deferred();
  #retryTimer: NodeJS.Timeout | undefined;
  #retries = 0;

  constructor(work: (run: ManagerRun, candidate: Candidate) => Promise<void>) {
    this.queue = new LatestQueue((candidate) => work(this, candidate));
  }

  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  offerRemote(candidate: Candidate): void {
    clearTimeout(this.#retryTimer);
    this.#retries = 0;
    this.latest = candidate;
    this.queue.offer(candidate);
    this.#changed.resolve();
    this.#changed = new Deferred();
  }

  /** Offers a failed candidate again after a while, unless a newer one comes first. */
  retryLater(candidate: Candidate, delaysMs: readonly number[]): void {
    const delayMs = delaysMs[this.#retries];
    if (delayMs === undefined || this.stopped) return;
    this.#retries++;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (this.latest === candidate) this.queue.offer(candidate);
    }, delayMs);
  }

  /**
   * Resolves when the watch has told at least what a read has just told.
   * @param revision of the value that was read; 0n = the key was absent
   */
  async caughtUp(revision: bigint, key: string, timeoutMs: number): Promise<void> {
    const before = this.latest;
    const behind = () => {
      if (this.latest === undefined) return true;
      if (revision === 0n) return this.latest.content.kind !== 'absent' && this.latest === before;
      return this.latest.revision < revision;
    };
    using wait = new Wait({ timeoutMs, signal: this.stopSignal }, `config "${key}": reload`, (ms) => {
      return new TimeoutError(`config "${key}": the watch did not catch up within ${ms} ms`, {
        timeoutMs: ms,
      });
    });
    while (behind()) await wait.race(this.#changed.promise);
  }

  /** Nothing new begins; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#retryTimer);
    this.queue.close();
    await this.follower?.close();
    await this.queue.idle();
  }
}
