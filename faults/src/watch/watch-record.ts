import type { Told, WatchOperation, WatchShapes } from './watch-operations.js';

type Begun = WatchShapes['begin']['input'];

/** What one watch was told, from its begin on. */
export interface WatchRecord extends Begun {
  /** It began "from now on": the first revision that it has to tell is known, whether an earlier one is told is not. */
  readonly fromNow?: true;
  readonly told: readonly Told[];
  /** Absent: its process was killed. */
  readonly over: WatchShapes['over']['output'] | undefined;
}

interface OpenRecord extends Begun {
  told: Told[];
  attachedAt?: number;
  over: WatchRecord['over'];
}

/** A record of each watch of a history. */
export function recordsOf(history: readonly WatchOperation[]): WatchRecord[] {
  const records = new Map<string, OpenRecord>();
  for (const { name, input, output } of history) {
    if (output === undefined) continue;
    if (name === 'begin') records.set(input.watch, { ...input, told: [], over: undefined });
    else if (name === 'attached' || name === 'told' || name === 'over') {
      const record = records.get(input.watch);
      if (record === undefined) throw new Error(`${input.watch} never began`);
      if (name === 'attached') record.attachedAt = input.revision;
      else if (name === 'over') record.over = output;
      else for (const each of output.told) record.told.push(each);
    }
  }
  return [...records.values()].flatMap(closed);
}

function closed({ attachedAt, ...record }: OpenRecord): WatchRecord[] {
  if (record.from > 0) return [record];
  // What happened while it was being attached may be told, and then without a gap.
  const [first] = record.told;
  const told = first !== undefined && 'revision' in first ? first.revision : Number.POSITIVE_INFINITY;
  const from = Math.min(told, attachedAt ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(from) ? [{ ...record, from, fromNow: true }] : []; // killed before it told anything
}
