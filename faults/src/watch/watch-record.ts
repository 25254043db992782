import type { Resync, SeenEvent, WatchOperation } from './watch-operations.js';

/** What one watch was told, from its begin on. */
export interface WatchRecord {
  readonly watch: string;
  readonly prefix: string;
  readonly from: number;
  readonly resync: Resync;
  readonly batches: readonly {
    readonly revision: number;
    readonly resync: boolean;
    readonly events: readonly SeenEvent[];
  }[];
  /** Absent: its process was killed. */
  readonly over: { readonly error?: string } | undefined;
}

/** A record of each watch of a history. */
export function recordsOf(history: readonly WatchOperation[]): WatchRecord[] {
  const records = new Map<string, WatchRecord & { batches: WatchRecord['batches'][number][] }>();
  for (const operation of history) {
    if (operation.output === undefined) continue;
    if (operation.name === 'begin') {
      records.set(operation.input.watch, { ...operation.input, batches: [], over: undefined });
    } else if (operation.name === 'batch') {
      const { watch, revision, resync } = operation.input;
      records.get(watch)?.batches.push({ revision, resync, events: operation.output.events });
    } else if (operation.name === 'over') {
      const record = records.get(operation.input.watch);
      if (record) records.set(record.watch, { ...record, over: operation.output });
    }
  }
  return [...records.values()];
}
