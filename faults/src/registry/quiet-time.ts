import type { FaultEntry } from '../run/fault-log.js';

interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The time in which nothing failed, as a process had it: no fault of etcd or of the lines to it was under way,
 * and the process did not stand still.
 */
export class QuietTime {
  readonly #faults: readonly FaultEntry[];
  readonly #spans = new Map<string, readonly Span[]>();

  constructor(faults: readonly FaultEntry[]) {
    this.#faults = faults;
  }

  /** How much of it there was between two moments, in microseconds. */
  between(from: number, to: number, process: string): number {
    let quiet = Math.max(0, to - from);
    for (const span of this.#disturbances(process))
      quiet -= Math.max(0, Math.min(to, span.to) - Math.max(from, span.from));
    return quiet;
  }

  /** One after the other. */
  #disturbances(process: string): readonly Span[] {
    const known = this.#spans.get(process);
    if (known !== undefined) return known;
    const spans: Span[] = [];
    const own = this.#faults.filter((fault) => disturbs(fault, process));
    for (const { beganAt, endedAt } of [...own].sort((a, b) => a.beganAt - b.beganAt)) {
      const last = spans.at(-1);
      if (last === undefined || last.to < beganAt) spans.push({ from: beganAt, to: endedAt });
      else spans.splice(-1, 1, { from: last.from, to: Math.max(last.to, endedAt) });
    }
    this.#spans.set(process, spans);
    return spans;
  }
}

function disturbs({ kind, where }: FaultEntry, process: string): boolean {
  if (kind === 'kill') return false; // who is killed has no time any more, and nobody else minds
  const ofOne = where.worker !== undefined && kind !== 'cut' && kind !== 'lost answer';
  return !ofOne || where.worker === process;
}

/** When a process was killed, if it was. */
export function killedAt(faults: readonly FaultEntry[], process: string): number {
  const kill = faults.find(({ kind, where }) => kind === 'kill' && where.worker === process);
  return kill?.beganAt ?? Number.POSITIVE_INFINITY;
}
