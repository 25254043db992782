import { CompactedError, type CoordError } from '../../src/errors.js';
import type { WatchBatch } from '../../src/watch.js';
import { EventType, type WatchEventMessage } from '../../src/watch-messages.js';
import { type Snapshot, type SubscriptionContext, WatchSubscription } from '../../src/watch-subscription.js';
import type { Change, HistoryModel, Prefix } from './history-model.js';

/** A watch, and what it is told, compared with what has happened. */
export class WatchedRange {
  readonly #prefix: Prefix;
  readonly #history: HistoryModel;
  readonly #wrong: string[];
  readonly #subscription: WatchSubscription;
  /** Where it was told to start. */
  readonly #first: bigint | undefined;
  /** The next revision that it is to be told of, if anything of its range has happened there. */
  #next: bigint | undefined;
  #listed: boolean;
  #isOver = false;
  batches = 0;
  snapshots = 0;

  constructor(
    prefix: Prefix,
    start: bigint | 'list',
    onCompacted: 'snapshot' | 'fail',
    history: HistoryModel,
    context: SubscriptionContext,
    wrong: string[],
  ) {
    this.#prefix = prefix;
    this.#history = history;
    this.#wrong = wrong;
    this.#listed = start !== 'list';
    this.#next = start === 'list' || start === 0n ? undefined : start;
    this.#first = this.#next;
    const options = { start, onCompacted };
    this.#subscription = new WatchSubscription({ prefix }, options, context, {
      batch: (batch) => this.#batch(batch),
      attached: (revision) => {
        this.#next ??= revision + 1n;
      },
      progress: (revision) => this.#progress(revision),
      snapshot: (snapshot) => this.#snapshot(snapshot),
      failed: (error) => this.#failed(error, onCompacted),
    });
  }

  /** Nothing is missing, or it is over. */
  get isComplete(): boolean {
    if (this.#isOver) return true;
    return this.#next !== undefined && this.#missing(this.#history.revision).length === 0;
  }

  pause(): void {
    this.#subscription.pause();
  }

  resume(): void {
    this.#subscription.resume();
  }

  close(): void {
    this.#isOver = true;
    this.#subscription.close();
  }

  toString(): string {
    return `the watch of ${this.#prefix} at ${this.#next}`;
  }

  /** What has happened up to a revision and was not told. */
  #missing(upTo: bigint): readonly Change[] {
    return this.#history
      .changes(this.#prefix, this.#next ?? 0n, upTo)
      .filter(({ revision, events }) => events.some(({ type }) => !this.#mayBeForgotten(revision, type)));
  }

  /** Old servers forget deletes at the revision of a compaction, and who starts there cannot know. */
  #mayBeForgotten(revision: bigint, type: WatchEventMessage['type']): boolean {
    return revision === this.#first && this.#history.compacted >= revision && type === EventType.Delete;
  }

  #batch({ revision, events }: WatchBatch): void {
    this.batches++;
    if (this.#isOver) this.#note('was told something after its end');
    if (this.#next === undefined || revision < this.#next) this.#note(`was told of ${revision} again`);
    this.#expectNothing(revision - 1n);
    const [change] = this.#history.changes(this.#prefix, revision, revision);
    const name = (type: 'put' | 'delete') => (type === 'put' ? EventType.Put : EventType.Delete);
    const told = events
      .filter(({ type }) => !this.#mayBeForgotten(revision, name(type)))
      .map(({ type, key }) => `${name(type)} ${key}`);
    const expected = (change?.events ?? [])
      .filter(({ type }) => !this.#mayBeForgotten(revision, type))
      .map(({ type, kv }) => `${type} ${kv.key}`);
    if (told.join() !== expected.join()) this.#note(`was told ${told} at ${revision}, not ${expected}`);
    this.#next = revision + 1n;
  }

  #progress(revision: bigint): void {
    this.#expectNothing(revision);
    if (this.#next === undefined || revision < this.#next) this.#note(`went back to ${revision}`);
    this.#next = revision + 1n;
  }

  #snapshot({ revision, kvs }: Snapshot): void {
    this.snapshots++;
    if (this.#isOver) this.#note('was given a snapshot after its end');
    if (this.#listed && this.#history.compacted < (this.#next ?? 0n)) this.#note('lists without need');
    if (this.#next !== undefined && revision + 1n < this.#next) this.#note(`was taken back to ${revision}`);
    const show = (key: string, revision: bigint) => `${key}@${revision}`;
    const expected = this.#history.stateAt(this.#prefix, revision);
    const told = kvs.map(({ key, modRevision }) => show(key, modRevision));
    if (told.join() !== expected.map(({ key, mod_revision }) => show(key.toString(), mod_revision)).join()) {
      this.#note(`was given ${told} as of ${revision}`);
    }
    this.#listed = true;
    this.#next = revision + 1n;
  }

  #failed(error: CoordError, onCompacted: 'snapshot' | 'fail'): void {
    const isTrue =
      error instanceof CompactedError &&
      onCompacted === 'fail' &&
      this.#history.compacted >= (this.#next ?? 0n);
    if (!isTrue) this.#note(`failed: ${error.message}`);
    this.#isOver = true;
  }

  #expectNothing(upTo: bigint): void {
    const [missing] = this.#next === undefined ? [] : this.#missing(upTo);
    if (missing !== undefined) this.#note(`was not told of ${missing.revision}`);
  }

  #note(what: string): void {
    this.#wrong.push(`${this} ${what}`);
  }
}
