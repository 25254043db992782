import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { ackKey, instanceName, keysOf } from './config-names.js';
import type { ConfigShapes } from './config-operations.js';

const PAUSE_MS = 50;

/** The planted mistake of who announces how far etcd is, not what is in use. */
export async function announceEarly(
  { assignment, stopped }: WorkerContext<ConfigShapes>,
  { kv }: CoordClient,
): Promise<void> {
  const { run, index } = assignment;
  const key = ackKey(keysOf(run).bounds, instanceName(index));
  while (!stopped.aborted) {
    const { revision } = await kv.range(key);
    const ack = { format: 1, source: 'remote', version: 1, revision: String(revision), at: Date.now() };
    await kv.put(key, JSON.stringify(ack));
    await sleep(PAUSE_MS);
  }
}
