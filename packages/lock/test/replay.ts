import type { CoordClient, KeyValue, WatchEvent } from '@coord/client';
import { eventually } from '@coord/testkit';

/** What was in etcd when one change was made: the contenders of a lock, the oldest first. */
export interface Moment {
  readonly event: WatchEvent;
  /** Keys under the queue's prefix and their create revisions, in the order of those. */
  readonly queue: readonly KeyValue[];
}

/**
 * etcd's own history, for checks after the fact: what was written under `data` and who was in the
 * queues under `queue` at that very revision.
 */
export async function record(client: CoordClient, { queue, data }: { queue: string; data: string }) {
  const watches = [client.watch({ prefix: queue }), client.watch({ prefix: data })];
  const events: WatchEvent[] = [];
  const reading = watches.map(async (watch) => {
    for await (const batch of watch) events.push(...batch.events);
  });
  await Promise.all(watches.map((watch) => watch.ready));
  return {
    /** Ends the recording, when everything up to now has arrived. */
    async moments(): Promise<Moment[]> {
      const ends = await Promise.all([queue, data].map((prefix) => client.kv.put(`${prefix}~end`, '')));
      await eventually(
        () => ends.every(({ revision }) => events.some((e) => e.kv.modRevision === revision)),
        {
          timeoutMs: 10_000,
        },
      );
      await Promise.all(watches.map((watch) => watch.close()));
      await Promise.all(reading);
      await Promise.all([queue, data].map((prefix) => client.kv.delete(`${prefix}~end`)));
      return replay(
        events.filter(({ key }) => !key.endsWith('~end')),
        queue,
        data,
      );
    },
  };
}

function replay(events: WatchEvent[], queue: string, data: string): Moment[] {
  const present = new Map<string, KeyValue>();
  const moments: Moment[] = [];
  const inOrder = events.toSorted((a, b) => Number(a.kv.modRevision - b.kv.modRevision));
  for (const event of inOrder) {
    const { type, key, kv } = event;
    if (key.startsWith(queue)) {
      if (type === 'delete') present.delete(key);
      else if (!present.has(key)) present.set(key, kv);
    }
    if (key.startsWith(data) && type === 'put') {
      moments.push({
        event,
        queue: [...present.values()].toSorted((a, b) => Number(a.createRevision - b.createRevision)),
      });
    }
  }
  return moments;
}
