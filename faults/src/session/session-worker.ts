import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@coord/client';
import { tellOfStalls } from '../lock/stalls.js';
import { randomOf } from '../random.js';
import type { WorkerContext } from '../run/worker-context.js';
import { GONE_WITHIN_MS } from './check-keys.js';
import { sessionPrefix } from './session-names.js';
import type { SessionShapes } from './session-operations.js';
import { SessionSlot } from './session-slot.js';

const SLOTS = 4;

/** Holds several sessions at once. */
export async function sessionWorker(context: WorkerContext<SessionShapes>): Promise<void> {
  const { endpoints, process, seed, run } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const stalls = tellOfStalls((ms) => context.recorder.observe('stall', {}, { ms }));
  const slots = Array.from({ length: SLOTS }, (_, index) => {
    const name = `${process}-${index}`;
    return new SessionSlot(context, client, name, randomOf(seed, name));
  });
  await Promise.all(slots.map((slot) => slot.run()));
  if (context.isPlanted('no lease')) {
    await sleep(GONE_WITHIN_MS * 1.2);
    await client.kv.delete({ prefix: sessionPrefix(run) });
  }
  stalls[Symbol.dispose]();
  await client.close();
}
