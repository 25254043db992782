import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { ExpectedResync } from './expected-resync.js';
import { type Due, type Timeline, timelinesOf } from './timeline.js';
import type { ToldBatch } from './watch-operations.js';
import type { WatchRecord } from './watch-record.js';

/**
 * W1: a watch is told of exactly the revisions of etcd's log from its first to the last, each once, whole and in order,
 * over any number of reconnects; and after a compaction, if it needs what is gone, of the state as it was at the
 * revision that it is told.
 *
 * @param compacted no revision from here on is compacted: see `compactedBefore`
 * @param end the last revision that has to be told: what is written later was on its way for long
 * @param hidden compactions that etcd can forget to tell of: see `hiddenCompactions`
 */
export function checkWatches(
  records: readonly WatchRecord[],
  log: readonly EtcdEvent[],
  compacted = Number.POSITIVE_INFINITY,
  end = Number.POSITIVE_INFINITY,
  hidden: readonly number[] = [],
): Violation[] {
  const timelineOf = timelinesOf(log);
  return records.flatMap((record) => {
    const check = new WatchCheck(record, timelineOf(record.prefix), { compacted, end, hidden });
    check.run();
    return check.violations;
  });
}

interface Bounds {
  readonly compacted: number;
  readonly end: number;
  readonly hidden: readonly number[];
}

class WatchCheck {
  readonly violations: Violation[] = [];
  readonly #record: WatchRecord;
  readonly #timeline: Timeline;
  readonly #compacted: number;
  readonly #endsAt: number;
  readonly #hidden: readonly number[];
  readonly #expected: ExpectedResync;
  /** The last revision that was told. */
  #last = 0;
  /** The first that was not. */
  #wanted: number;
  #position: number;

  constructor(record: WatchRecord, timeline: Timeline, { compacted, end, hidden }: Bounds) {
    this.#record = record;
    this.#timeline = timeline;
    this.#compacted = compacted;
    this.#endsAt = end;
    this.#hidden = hidden;
    this.#expected = new ExpectedResync(record, timeline);
    this.#wanted = record.from;
    this.#position = timeline.indexOf(record.from);
  }

  run(): void {
    for (const told of this.#record.told) {
      if ('reopenedAt' in told) {
        this.#expected.reopened(told.reopenedAt);
        continue;
      }
      const { revision } = told;
      if (revision <= this.#last) this.#complain(`revision ${revision} comes after ${this.#last}`);
      if (told.resync) this.#resync(told);
      else this.#revision(told);
      this.#last = revision;
      this.#wanted = Math.max(this.#wanted, revision + 1);
    }
    this.#end();
  }

  #revision(told: ToldBatch): void {
    const { ignore, previous } = this.#record;
    const index = this.#timeline.indexOf(told.revision);
    this.#skipTo(index, `${told.revision} is there`, told.revision);
    const next = this.#timeline.revisions[index];
    if (index < this.#position || next?.revision !== told.revision) {
      this.#complain(`revision ${told.revision} is not expected (any more)`);
      return;
    }
    this.#position = index + 1;
    if (!same(told, next.due(ignore))) {
      const { events } = next.due(ignore);
      this.#complain(`revision ${told.revision} is not whole: ${told.events} events told of ${events}`);
    }
    if (previous) this.#previous(told, next.duePrevious);
    else if (told.previous) this.#complain(`revision ${told.revision} tells what was there before, unasked`);
  }

  /** etcd itself has the previous values no longer when the revision before is compacted. */
  #previous({ revision, previous }: ToldBatch, due: Due): void {
    const there = previous ?? { events: 0, digest: '' };
    const gone = there.events < due.events && revision <= this.#compacted;
    if (gone || (due.events === 0 && there.events === 0) || same(there, due)) return;
    this.#complain(`revision ${revision}: what was there before is told wrongly`);
  }

  #resync(told: ToldBatch): void {
    const { revision } = told;
    const { resync } = this.#record;
    if (resync === 'error') this.#complain(`revision ${revision} is a resync that nobody wants`);
    if (this.#wanted >= this.#compacted && !this.#isNowhere)
      this.#complain(`revision ${revision} is a resync, and ${this.#wanted} was not compacted`);
    if (!same(told, this.#expected.at(revision, this.#wanted)))
      this.#complain(`revision ${revision} is a resync to a wrong state`);
    this.#position = Math.max(this.#position, this.#timeline.indexOf(revision + 1));
  }

  #end(): void {
    const { over, resync } = this.#record;
    if (over === undefined || over.early) return;
    if (over.error === undefined) this.#skipTo(this.#timeline.indexOf(this.#endsAt + 1), 'the run is over');
    else if (over.error !== 'CompactedError' || resync !== 'error')
      this.#complain(`it ended with ${over.error}`);
    else if (!this.#refusedRightly(over.compactRevision ?? 0))
      this.#complain(`it was refused as compacted before ${over.compactRevision}, and wants ${this.#wanted}`);
  }

  /** Where a watch that began "from now on" stands before it tells of anything is not known. */
  get #isNowhere(): boolean {
    return this.#record.fromNow === true && this.#last === 0;
  }

  #refusedRightly(compactRevision: number): boolean {
    return (compactRevision > this.#wanted || this.#isNowhere) && compactRevision <= this.#compacted;
  }

  #skipTo(index: number, instead: string, told = 0): void {
    const missing = this.#timeline.revisions
      .slice(this.#position, index)
      .filter((each) => each.due(this.#record.ignore).events > 0);
    this.#position = Math.max(this.#position, index);
    const [first, last] = [missing[0]?.revision, missing.at(-1)?.revision];
    if (first === undefined || last === undefined || this.#isNoDifference(last)) return;
    if (this.#hidden.some((compacted) => first < compacted && compacted < told)) return;
    const more = missing.length > 1 ? ` with ${missing.length - 1} more` : '';
    this.#complain(`revision ${first} is missing${more}, ${instead}`);
  }

  /** After a compaction, a difference that there is none of is not told: what was created is gone, what is gone was not known. */
  #isNoDifference(revision: number): boolean {
    if (this.#record.resync !== 'difference' || this.#wanted >= this.#compacted) return false;
    return this.#expected.at(revision, this.#wanted).events === 0;
  }

  #complain(what: string): void {
    const { watch, resync } = this.#record;
    this.violations.push({ invariant: 'W1', what: `${watch} (${resync}): ${what}` });
  }
}

function same(a: Due, b: Due): boolean {
  return a.events === b.events && a.digest === b.digest;
}
