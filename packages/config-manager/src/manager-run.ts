import { TimeoutError } from '@coord/client';
import { raceAbort, Wait } from '@coord/client/internal';
import type { Candidate } from './candidate.js';
import { Deferred } from './deferred.js';
import type { Follower } from './follower.js';
import { LatestQueue } from './latest-queue.js';
import { Pulse } from './pulse.js';

/** What lives from one `start` to the next `stop`. */
export class ManagerRun {
  readonly queue: LatestQueue<Candidate>;
  follower: Follower | undefined;
  /** What the centre said last. */
  latest: Candidate | undefined;
  /** Resolves when what the centre said first has been worked off. */
  readonly first = new Deferred();
  /** Of what the centre said, what has been worked off last: it is in use now, or was refused. */
  #done: Candidate | undefined;
  readonly #worked = new Pulse();
  readonly #told = new Pulse();
  readonly #stop = new AbortController();
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

  /** Whether something that the centre said has been worked off. */
  get synced(): boolean {
    return this.#done !== undefined;
  }

  get done(): Candidate | undefined {
    return this.#done;
  }

  offerRemote(candidate: Candidate): void {
    clearTimeout(this.#retryTimer);
    this.#retries = 0;
    this.latest = candidate;
    this.queue.offer(candidate);
    this.#told.fire();
  }

  workedOff(candidate: Candidate): void {
    this.#done = candidate;
    this.first.resolve();
    this.#worked.fire();
  }

  /** Resolves when the next candidate has been worked off. @throws the reason of `stopSignal` */
  nextWorkedOff(): Promise<void> {
    return raceAbort(this.#worked.next(), this.stopSignal);
  }

  /**
   * Offers a failed candidate again after a while, unless a newer one comes first.
   * @returns whether it will: there is an end to it
   */
  retryLater(candidate: Candidate, delaysMs: readonly number[]): boolean {
    clearTimeout(this.#retryTimer);
    const delayMs = delaysMs[this.#retries];
    if (delayMs === undefined || this.stopped || this.latest !== candidate) return false;
    this.#retries++;
    this.#retryTimer = setTimeout(() => {
      if (this.latest === candidate) this.queue.offer(candidate);
    }, delayMs);
    return true;
  }

  /** What was to be tried again has succeeded otherwise. */
  dropRetry(): void {
    clearTimeout(this.#retryTimer);
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
    while (behind()) await wait.race(this.#told.next());
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
