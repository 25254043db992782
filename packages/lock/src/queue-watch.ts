import { CompactedError, type CoordClient, type Watch } from '@coord/client';
import { QueuePlace } from './queue-place.js';

/** How long the watch of a queue is kept without a waiter: where one waits often, the next finds it running. */
const LINGER_MS = 500;

/** The part of a contender that matters here. */
interface Contending {
  readonly onlyLane: string | undefined;
  readonly etcdKeys: readonly [string, ...string[]];
}

/** The running watches of those queues in which this client waits. */
export class QueueWatches {
  readonly #client: CoordClient;
  readonly #watches = new Map<string, QueueWatch>();

  constructor(client: CoordClient) {
    this.#client = client;
  }

  /**
   * Follows the queue if its watch is running. A contender that does so before it joins learns of
   * every deletion after that, and need not look at the queue again.
   */
  followIfRunning({ onlyLane, etcdKeys: [ownKey] }: Contending): Following | undefined {
    const watch = onlyLane === undefined ? undefined : this.#watches.get(onlyLane);
    return watch?.isAttached ? watch.follow(ownKey) : undefined;
  }

  /** Follows the queue; what happened until `ready`, only a list read after that shows. */
  follow(prefix: string, ownKey: string): Following {
    return (this.#watches.get(prefix) ?? this.#open(prefix)).follow(ownKey);
  }

  close(): void {
    for (const watch of [...this.#watches.values()]) watch.close();
  }

  #open(prefix: string): QueueWatch {
    // From now on: a watch that starts in the past is served late.
    const running = this.#client.watch({ prefix }, { ignore: 'put', resync: 'error' });
    const watch = new QueueWatch(running, () => this.#watches.delete(prefix));
    this.#watches.set(prefix, watch);
    return watch;
  }
}

/** The deletions in one queue, for all its followers. */
class QueueWatch {
  readonly #watch: Watch;
  readonly #followers = new Set<Following>();
  readonly #onEnd: () => void;
  #isAttached = false;
  #hasEnded = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(watch: Watch, onEnd: () => void) {
    this.#watch = watch;
    this.#onEnd = onEnd;
    watch.ready.then(
      () => {
        this.#isAttached = true;
      },
      () => undefined, // the loop ends with the same error
    );
    void this.#run();
  }

  get isAttached(): boolean {
    return this.#isAttached && !this.#hasEnded;
  }

  follow(ownKey: string): Following {
    clearTimeout(this.#linger);
    const following: Following = new Following(ownKey, this.#watch.ready, () => this.#unfollow(following));
    this.#followers.add(following);
    return following;
  }

  close(): void {
    this.#end(undefined);
  }

  #unfollow(following: Following): void {
    if (!this.#followers.delete(following) || this.#followers.size > 0) return;
    this.#linger = setTimeout(() => this.#end(undefined), LINGER_MS);
    this.#linger.unref();
  }

  async #run(): Promise<void> {
    try {
      for await (const { revision, events } of this.#watch) {
        for (const { key } of events) for (const each of this.#followers) each.deleted(key, revision);
      }
      this.#end(undefined);
    } catch (error) {
      // After a compaction, deletions may be missing: a new watch and a new list are needed.
      this.#end(error instanceof CompactedError ? undefined : error);
    }
  }

  #end(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#linger);
    this.#onEnd();
    for (const following of this.#followers) following.ended(error);
    // It ends locally at once; nobody needs to wait for the server.
    void this.#watch.close().catch(() => undefined);
  }
}

/** How following a queue went on: the place is decided, nothing happened, or a new watch is needed. */
export type Followed = 'decided' | 'quiet' | 'ended';

/** A contender's place, kept up to date by the watch of its queue. */
export class Following {
  readonly place: QueuePlace;
  /** Resolves when the watch is attached. */
  readonly ready: Promise<void>;
  readonly #stop: () => void;
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(ownKey: string, ready: Promise<void>, stop: () => void) {
    this.place = new QueuePlace(ownKey);
    this.ready = ready;
    this.#stop = stop;
  }

  /** Waits until the place is decided, at most `ms`. Rejects when the queue cannot be watched. */
  async decided(ms: number): Promise<Followed> {
    if (this.#outcome === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#outcome === 'ended' && this.#end?.error !== undefined) throw this.#end.error;
    return this.#outcome ?? 'quiet';
  }

  stop(): void {
    this.#wake?.(); // whoever waits no longer listens, but the timer should not stay
    this.#stop();
  }

  deleted(key: string, revision: bigint): void {
    this.place.deleted(key, revision);
    if (this.#outcome !== undefined) this.#wake?.();
  }

  ended(error: unknown): void {
    this.#end = { error };
    this.#wake?.();
  }

  get #outcome(): 'decided' | 'ended' | undefined {
    const { state } = this.place;
    if (state === 'first' || state === 'gone') return 'decided';
    return this.#end && 'ended';
  }
}
