import { createClient } from '@coord/client';
import { noteStalls } from '../registry/stalls.js';
import type { WorkerContext } from '../run/worker-context.js';
import { call } from './caller.js';
import type { ResolverShapes } from './resolver-operations.js';
import { serve } from './server.js';

/** The even ones serve, the odd ones call. */
export async function resolverWorker(context: WorkerContext<ResolverShapes>): Promise<void> {
  const { index, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000, logLevel: 'error' });
  const endNotes = noteStalls(context.recorder);
  await (index % 2 === 0 ? serve(context, client) : call(context, client));
  await client.close();
  endNotes();
}
