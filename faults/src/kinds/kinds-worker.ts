import { createClient } from '@coord/client';
import { createLocks } from '@coord/lock';
import type { WorkerContext } from '../run/worker-context.js';
import { KINDS_TTL_MS } from './kinds-names.js';
import type { KindShapes } from './kinds-operations.js';
import { PermitUser } from './permit-user.js';
import { ReadWriteUser } from './read-write-user.js';
import { ReentrantUser } from './reentrant-user.js';

/** Uses the mutex, the read/write lock and the semaphore of one name, all at once. */
export async function kindsWorker(context: WorkerContext<KindShapes>): Promise<void> {
  const { process, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const locks = createLocks(client, { defaultTtlMs: KINDS_TTL_MS });
  const scene = (part: string) => ({ context, client, locks, by: `${process}/${part}` });
  await Promise.all(
    [
      new ReentrantUser(scene('mutex')),
      new ReadWriteUser(scene('rw')),
      new ReadWriteUser(scene('rw2')),
      new PermitUser(scene('permit')),
      new PermitUser(scene('permit2')),
    ].map((user) => user.run()),
  );
  await locks.close();
  await client.close();
}
