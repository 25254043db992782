import { createClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { followAll } from './watch-followers.js';
import type { WatchShapes } from './watch-operations.js';
import { writeOn } from './watch-writer.js';

/** The first writes, the others watch. */
export async function watchWorker(context: WorkerContext<WatchShapes>): Promise<void> {
  const { index, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 3_000 });
  await (index === 0 ? writeOn(context, client) : followAll(context, client));
  await client.close();
}
