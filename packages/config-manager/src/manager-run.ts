import { raceAbort } from '@coord/client/internal';
import type { Announcer } from './announcer.js';
import type { Candidate } from './candidate.js';
import type { ConfigSource } from './config-source.js';
import { Deferred } from './deferred.js';
import { LatestQueue } from './latest-queue.js';
import type { SuppliedPart } from './layer.js';
import { Pulse } from './pulse.js';
import { Retries } from './retries.js';

/** What lives from one `start` to the next `stop`. */
export class ManagerRun {
  readonly queue: LatestQueue<Candidate>;
  source: ConfigSource | undefined;
  announcer: Announcer | undefined;
  /** What the centre said last. */
  latest: Candidate | undefined;
  /** Resolves when what the centre said first has been worked off. */
  readonly first = new Deferred();
  /** The newest value of the key itself, also while a canary stands in for it. */
  own: SuppliedPart | undefined;
  /** Of what the centre said, what has been worked off last: it is in use now, or was refused. */
  #done: Candidate | undefined;
  readonly #worked = new Pulse();
  readonly #stop = new AbortController();
  #stopped = false;
  readonly #retries = new Retries();
  #fallback: Candidate | undefined;
  readonly #fallbackRetries = new Retries();

  constructor(work: (run: ManagerRun, candidate: Candidate) => Promise<void>) {
    this.queue = new LatestQueue((candidate) => work(this, candidate));
  }

  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether something that the centre said has been worked off. */
  get synced(): boolean {
    return this.#done !== undefined;
  }

  get done(): Candidate | undefined {
    return this.#done;
  }

  offerRemote(candidate: Candidate): void {
    this.#retries.reset();
    this.latest = candidate;
    this.queue.offer(candidate);
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

  /** What to use while the centre has given nothing good: it never takes the place of what the centre says. */
  setFallback(candidate: Candidate): void {
    this.#fallback = candidate;
    this.offerFallback();
  }

  offerFallback(): void {
    if (this.#fallback !== undefined) this.queue.offerIfNoneWaits(this.#fallback);
  }

  /**
   * Offers a failed candidate again after a while, unless a newer one comes first.
   * @returns whether it will: there is an end to it
   */
  retryLater(candidate: Candidate, delaysMs: readonly number[]): boolean {
    if (this.stopped) return false;
    if (candidate === this.#fallback) {
      return this.#fallbackRetries.schedule(delaysMs, () => this.offerFallback());
    }
    if (candidate !== this.latest) return false;
    return this.#retries.schedule(delaysMs, () => this.queue.offer(candidate));
  }

  /** The centre has given something good, or said that there is nothing: nothing old is wanted any more. */
  dropFallback(): void {
    this.#fallback = undefined;
    this.#fallbackRetries.reset();
    this.#retries.reset();
  }

  /** Nothing new begins; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stop.abort();
    this.dropFallback();
    this.queue.close();
    await this.source?.close();
    await this.queue.idle();
    await this.announcer?.close();
  }
}
