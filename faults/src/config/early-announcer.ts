import type { CoordClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { ackKey, instanceName, keysOf, rawKey } from './config-names.js';
import type { ConfigShapes } from './config-operations.js';

/** The planted mistake of who announces what has come, whether or not it can be used. */
export async function announceEarly(
  { assignment, stopped }: WorkerContext<ConfigShapes>,
  client: CoordClient,
): Promise<void> {
  const { run, index } = assignment;
  const { bounds } = keysOf(run);
  await using changes = client.watch(rawKey(bounds), { signal: stopped });
  try {
    for await (const { revision } of changes) {
      if (stopped.aborted) return;
      const ack = { format: 1, source: 'remote', version: 1, revision: String(revision), at: Date.now() };
      await client.kv.put(ackKey(bounds, instanceName(index)), JSON.stringify(ack));
    }
  } catch (error) {
    if (!stopped.aborted) throw error;
  }
}
