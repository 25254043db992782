import { createClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { provide } from './provider.js';
import type { RegistryShapes } from './registry-operations.js';
import { seek } from './seeker.js';
import { noteStalls } from './stalls.js';

/** The even ones have instances, the odd ones look for them. */
export async function registryWorker(context: WorkerContext<RegistryShapes>): Promise<void> {
  const { index, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000, logLevel: 'error' });
  const endNotes = noteStalls(context.recorder);
  await (index % 2 === 0 ? provide(context, client) : seek(context, client));
  await client.close();
  endNotes();
}
