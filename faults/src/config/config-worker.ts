import { createClient } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import type { WorkerContext } from '../run/worker-context.js';
import type { ConfigShapes } from './config-operations.js';
import { manage } from './managing.js';
import { writeSettings } from './setting-writer.js';

/** The first two write, the others have a manager. */
export async function configWorker(context: WorkerContext<ConfigShapes>): Promise<void> {
  const { index, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const config = createConfigCenter(client);
  await (index < 2 ? writeSettings(context, config) : manage(context, config));
  await config.close();
  await client.close();
}
