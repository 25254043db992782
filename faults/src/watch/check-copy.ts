import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { type Timeline, timelinesOf } from './timeline.js';
import type { CopySample, WatchOperation } from './watch-operations.js';

/**
 * W2: a list, and a live copy at every moment, is the state of etcd's log at its revision; a copy never goes back, tells of
 * every revision once, or of a difference, and comes to the last one, `end`.
 */
export function checkCopies(
  history: readonly WatchOperation[],
  log: readonly EtcdEvent[],
  end = Number.POSITIVE_INFINITY,
): Violation[] {
  const timelineOf = timelinesOf(log);
  const checks = new Map<string, CopyCheck>();
  const violations: Violation[] = [];
  for (const operation of history) {
    if (operation.output === undefined) continue;
    if (operation.name === 'listed') {
      const { prefix } = operation.input;
      const { revision, keys, sum } = operation.output;
      const due = timelineOf(prefix).at(revision);
      if (keys !== due.keys || sum !== due.sum)
        violations.push({ invariant: 'W2', what: `a list of ${prefix} is not the state at ${revision}` });
    } else if (operation.name === 'copy') {
      const { copy, prefix } = operation.input;
      checks.set(copy, new CopyCheck(copy, timelineOf(prefix)));
    } else if (operation.name === 'copied') {
      const check = checks.get(operation.input.copy);
      for (const sample of operation.output.samples) check?.add(sample);
    } else if (operation.name === 'copied all') checks.get(operation.input.copy)?.end(end);
  }
  return [...violations, ...[...checks.values()].flatMap((check) => check.violations)];
}

class CopyCheck {
  readonly violations: Violation[] = [];
  readonly #copy: string;
  readonly #timeline: Timeline;
  #shown = 0;
  #told = 0;

  constructor(copy: string, timeline: Timeline) {
    this.#copy = copy;
    this.#timeline = timeline;
  }

  add(sample: CopySample): void {
    const { of, revision, keys, sum } = sample;
    const due = this.#timeline.at(revision);
    if (keys !== due.keys || sum !== due.sum)
      this.#complain(`its ${of} at revision ${revision} are not the state: ${keys} keys of ${due.keys}`);
    if (of === 'changes') this.#changes(sample);
    else {
      if (revision < this.#shown) this.#complain(`it goes back to ${revision} after ${this.#shown}`);
      this.#shown = Math.max(this.#shown, revision);
    }
  }

  end(end: number): void {
    const last = this.#timeline.revisions[this.#timeline.indexOf(end + 1) - 1]?.revision ?? 0;
    if (this.#shown < last || this.#told < last)
      this.#complain(
        `it ends at ${this.#shown}, its changes at ${this.#told}, and the last revision is ${last}`,
      );
  }

  #changes({ revision, resync }: CopySample): void {
    if (revision <= this.#told) this.#complain(`it tells of revision ${revision} after ${this.#told}`);
    const next = this.#timeline.revisions[this.#timeline.indexOf(this.#told + 1)]?.revision;
    // The first one is where it begins.
    if (!resync && this.#told > 0 && next !== revision)
      this.#complain(`it tells of revision ${revision}, and the one after ${this.#told} is ${next}`);
    this.#told = revision;
  }

  #complain(what: string): void {
    this.violations.push({ invariant: 'W2', what: `${this.#copy}: ${what}` });
  }
}
