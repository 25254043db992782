import { createClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { closeCenters, openCenters } from './centers.js';
import type { Component, ConfigShapes } from './config-operations.js';
import { announceEarly } from './early-announcer.js';
import { manage, snapshotFileOf } from './managing.js';
import { readRows } from './reading.js';
import { tellOfSnapshots } from './snapshot-moments.js';
import { tellOfSteps } from './steps-within.js';
import { write } from './writing.js';

const COMPONENTS: readonly Component[] = ['bounds', 'pair', 'tuned', 'junk'];

/** The first two write, the others read and have managers. */
export async function configWorker(context: WorkerContext<ConfigShapes>): Promise<void> {
  const { index, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  tellOfSteps(client, (point) => context.at(point));
  const centers = openCenters(client);
  if (index < 2) await write(context, client, centers);
  else {
    const end = tellOfSnapshots(snapshotFileOf(context), (point) => context.at(point));
    await Promise.all([
      ...COMPONENTS.map((component) => manage(context, client, centers, component)),
      readRows(context, centers.first),
      ...(context.isPlanted('announced too early') ? [announceEarly(context, client)] : []),
    ]);
    end();
  }
  await closeCenters(centers);
  await client.close();
}
