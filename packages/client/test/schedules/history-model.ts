import type { WireKeyValue } from '../../src/key-value.js';
import { EventType, type WatchEventMessage } from '../../src/watch-messages.js';

/** A range of keys that have a beginning in common. */
export type Prefix = 'a' | 'b';

/** What has happened at one revision. */
export interface Change {
  readonly revision: bigint;
  readonly events: readonly WatchEventMessage[];
}

/** etcd's history: every change at its revision, the oldest compacted away. */
export class HistoryModel {
  readonly #changes: Change[] = [];
  readonly #keys = new Map<string, WireKeyValue>();
  revision = 1n;
  compacted = 0n;

  /** One transaction. */
  write(puts: readonly string[], deletes: readonly string[]): void {
    const revision = this.revision + 1n;
    const events: WatchEventMessage[] = [];
    for (const name of puts) {
      const before = this.#keys.get(name);
      const kv: WireKeyValue = {
        key: Buffer.from(name),
        value: Buffer.from(`${revision}`),
        create_revision: before?.create_revision ?? revision,
        mod_revision: revision,
        version: (before?.version ?? 0n) + 1n,
        lease: 0n,
      };
      this.#keys.set(name, kv);
      events.push({ type: EventType.Put, kv, prev_kv: undefined });
    }
    for (const name of deletes) {
      const before = this.#keys.get(name);
      if (before === undefined || puts.includes(name)) continue;
      this.#keys.delete(name);
      const none = { value: Buffer.alloc(0), create_revision: 0n, version: 0n, lease: 0n };
      const kv = { ...none, key: before.key, mod_revision: revision };
      events.push({ type: EventType.Delete, kv, prev_kv: undefined });
    }
    if (events.length === 0) return;
    this.revision = revision;
    this.#changes.push({ revision, events });
  }

  compact(to: bigint): void {
    if (to > this.compacted && to <= this.revision) this.compacted = to;
  }

  /** What concerns a range, from one revision to another, both included. */
  changes(prefix: string, from: bigint, to: bigint): readonly Change[] {
    return this.#changes
      .filter(({ revision }) => revision >= from && revision <= to)
      .map(({ revision, events }) => ({
        revision,
        events: events.filter(({ kv }) => startsWith(kv, prefix)),
      }))
      .filter(({ events }) => events.length > 0);
  }

  /** The keys of a range as they were at a revision. */
  stateAt(prefix: string, at: bigint): readonly WireKeyValue[] {
    const keys = new Map<string, WireKeyValue>();
    for (const { events } of this.changes(prefix, 0n, at)) {
      for (const { type, kv } of events) {
        if (type === EventType.Put) keys.set(kv.key.toString(), kv);
        else keys.delete(kv.key.toString());
      }
    }
    return [...keys.values()].sort((a, b) => Buffer.compare(a.key, b.key));
  }
}

function startsWith({ key }: WireKeyValue, prefix: string): boolean {
  return key.toString().startsWith(prefix);
}
