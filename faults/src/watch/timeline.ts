import type { EtcdEvent } from '../etcd-event.js';
import { digestOf, minus, plus, weightOf } from './digest.js';
import type { Ignored } from './watch-operations.js';

/** What a watch has to tell of a revision. */
export interface Due {
  readonly events: number;
  readonly digest: string;
}

/** A revision of etcd's log: all that one transaction has changed under a prefix. */
export class LoggedRevision {
  readonly revision: number;
  readonly events: EtcdEvent[] = [];
  /** What was there before each of them. */
  readonly previous: (EtcdEvent | undefined)[] = [];
  /** After it. */
  keys = 0;
  sum = 0;
  readonly #due = new Map<Ignored | undefined, Due>();
  #duePrevious: Due | undefined;

  constructor(revision: number) {
    this.revision = revision;
  }

  /** To a watch that leaves out puts, deletes or nothing. */
  due(ignore: Ignored | undefined): Due {
    let due = this.#due.get(ignore);
    if (due === undefined) {
      const events = this.events.filter(({ type }) => type !== ignore);
      due = { events: events.length, digest: digestOf(events) };
      this.#due.set(ignore, due);
    }
    return due;
  }

  /** To a watch that tells of what was there before, and leaves out nothing. */
  get duePrevious(): Due {
    const there = this.previous.filter((event) => event !== undefined);
    this.#duePrevious ??= { events: there.length, digest: digestOf(this.previous) };
    return this.#duePrevious;
  }
}

/** etcd's log of one prefix. */
export class Timeline {
  readonly revisions: readonly LoggedRevision[];

  constructor(log: readonly EtcdEvent[], prefix: string) {
    const revisions: LoggedRevision[] = [];
    const state = new Map<string, { readonly event: EtcdEvent; readonly weight: number }>();
    let sum = 0;
    for (const event of log) {
      if (!event.key.startsWith(prefix)) continue;
      let last = revisions.at(-1);
      if (last?.revision !== event.revision) {
        last = new LoggedRevision(event.revision);
        revisions.push(last);
      }
      const before = state.get(event.key);
      last.events.push(event);
      last.previous.push(before?.event);
      if (before !== undefined) sum = minus(sum, before.weight);
      if (event.type === 'put') {
        const weight = weightOf(event);
        state.set(event.key, { event, weight });
        sum = plus(sum, weight);
      } else state.delete(event.key);
      last.keys = state.size;
      last.sum = sum;
    }
    this.revisions = revisions;
  }

  /** Where the revisions begin that are not before this one. */
  indexOf(revision: number): number {
    let [low, high] = [0, this.revisions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.revisions[middle]?.revision ?? revision) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The state at a revision. */
  at(revision: number): { readonly keys: number; readonly sum: number } {
    return this.revisions[this.indexOf(revision + 1) - 1] ?? { keys: 0, sum: 0 };
  }
}

/** The timelines of a log, each made once. */
export function timelinesOf(log: readonly EtcdEvent[]): (prefix: string) => Timeline {
  const timelines = new Map<string, Timeline>();
  return (prefix) => {
    const timeline = timelines.get(prefix) ?? new Timeline(log, prefix);
    timelines.set(prefix, timeline);
    return timeline;
  };
}
