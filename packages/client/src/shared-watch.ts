import type { CoordError } from './errors.js';
import type { CoordLogger } from './logger.js';
import type { TxnCodec } from './txn-codec.js';
import type { WatchBatch } from './watch.js';
import { WatchCursor } from './watch-cursor.js';
import type { WatchCreateRequest, WatchEventMessage } from './watch-messages.js';
import type { ServerWatch } from './watch-mux.js';
import { createRequestOf, type WatchTarget } from './watch-target.js';

/** One who follows a range from a place of its own. It is told everything synchronously and must not throw. */
export interface WatchFollower {
  readonly target: WatchTarget;
  /** The first revision not yet delivered; 0n = it starts from now on. */
  readonly next: bigint;
  attached(headerRevision: bigint): void;
  detached(reason: CoordError): void;
  /** Older ones than `next` are to be ignored. */
  batch(batch: WatchBatch): void;
  progress(revision: bigint): void;
  canceled(compactRevision: bigint, reason: string): void;
  refused(error: CoordError): void;
}

/** Equal for followers that begin at the same place. */
export function startOf({ next }: WatchFollower): string {
  return String(next);
}

/** What becomes of a shared watch. */
export interface SharedWatchHooks {
  /** It has come further: perhaps it has caught up with another. */
  moved(watch: SharedWatch): void;
  /** It is over; its followers are to be told. */
  ended(watch: SharedWatch): void;
}

/**
 * One watch on the server for all who follow the same range.
 *
 * Its own position is never ahead of a follower's, so that whatever it delivers from there on is
 * all that each of them still needs; each drops what it has had.
 */
export class SharedWatch implements ServerWatch {
  readonly target: WatchTarget;
  /** Where it began, as `startOf` has it. */
  readonly start: string;
  readonly followers = new Set<WatchFollower>();
  readonly #cursor: WatchCursor;
  readonly #hooks: SharedWatchHooks;
  readonly #logger: CoordLogger;
  /** The request is under way: who comes now comes later than the "now" that it asks for. */
  #requested = false;
  /** etcd's newest revision when it was attached. */
  #attachedAt: bigint | undefined;

  constructor(first: WatchFollower, codec: TxnCodec, logger: CoordLogger, hooks: SharedWatchHooks) {
    this.target = first.target;
    this.followers.add(first);
    this.start = startOf(first);
    this.#cursor = new WatchCursor(codec, first.next);
    this.#logger = logger;
    this.#hooks = hooks;
  }

  get key(): Buffer {
    return this.target.range.key;
  }

  get next(): bigint {
    return this.#cursor.next;
  }

  /** Of the revision of a compaction itself etcd may have forgotten the deletes: see `CompactionCheck`. */
  get needs(): bigint {
    return this.next > 1n ? this.next - 1n : this.next;
  }

  /** Whether it follows the server as things happen, rather than to catch up with them. */
  get upToDate(): boolean {
    return this.#attachedAt !== undefined && this.next > this.#attachedAt;
  }

  /** Whether a newcomer may have its first place with this watch. */
  startsLike(follower: WatchFollower): boolean {
    return !this.#requested && this.next === follower.next && this.start === startOf(follower);
  }

  /** Whether nothing that a watch at this position still needs has already gone by here. */
  covers(next: bigint): boolean {
    return this.upToDate && next >= this.next;
  }

  createRequest(): WatchCreateRequest {
    this.#requested = true;
    return createRequestOf(this.target, this.next);
  }

  attached(headerRevision: bigint): void {
    this.#attachedAt = headerRevision;
    this.#cursor.attached(headerRevision);
    this.#tell((follower) => follower.attached(headerRevision));
    this.#hooks.moved(this);
  }

  detached(reason: CoordError): void {
    this.#leftServer();
    this.#tell((follower) => follower.detached(reason));
  }

  events(events: readonly WatchEventMessage[], fragment: boolean): void {
    const batches = this.#cursor.take(events, fragment);
    if (batches.length === 0) return;
    this.#tell((follower) => {
      for (const batch of batches) follower.batch(batch);
    });
    this.#hooks.moved(this);
  }

  progress(revision: bigint): void {
    if (!this.#cursor.progress(revision)) return;
    this.#tell((follower) => follower.progress(revision));
    this.#hooks.moved(this);
  }

  canceled(compactRevision: bigint, reason: string): void {
    this.#leftServer();
    this.#hooks.ended(this);
    this.#tell((follower) => follower.canceled(compactRevision, reason));
  }

  refused(error: CoordError): void {
    this.#leftServer();
    this.#hooks.ended(this);
    this.#tell((follower) => follower.refused(error));
  }

  #leftServer(): void {
    this.#requested = false;
    this.#attachedAt = undefined;
    this.#cursor.detached();
  }

  /** One that throws must not keep the others from hearing it. */
  #tell(tell: (follower: WatchFollower) => void): void {
    for (const follower of [...this.followers]) {
      try {
        tell(follower);
      } catch (error) {
        this.#logger.error('a follower of a watch threw', { error });
      }
    }
  }
}
