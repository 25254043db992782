import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type CoordClient, connect, type Session, type WatchCache } from '../src/index.js';

export interface Mistreated {
  readonly etcd: EtcdServer;
  readonly client: CoordClient;
  /** Sees the whole store, and is not the one that is mistreated. */
  readonly witness: CoordClient;
  readonly session: Session;
  readonly cache: WatchCache<string>;
}

interface Store {
  readonly revision: bigint;
  readonly keys: number;
}

export async function storeOf(witness: CoordClient): Promise<Store> {
  const { revision, count } = await witness.kv.range({ prefix: '' }, { countOnly: true });
  return { revision, keys: count };
}

declare module 'vitest' {
  interface TaskMeta {
    /** The input is good after all. */
    writes?: boolean;
  }
}

async function start(): Promise<Mistreated> {
  const etcd = await startEtcd();
  const client = await connect({ ...etcd.connectOptions, namespace: '/app/' });
  const witness = await connect(etcd.connectOptions);
  const session = await client.session({ ttlMs: 60_000 });
  const cache = client.cache({ prefix: 'seen/' }, { decode: (kv) => kv.text() });
  await cache.ready;
  return { etcd, client, witness, session, cache };
}

/** Everything works, as it should after bad input. */
async function expectUsable({ client, session, cache }: Mistreated): Promise<void> {
  const watch = client.watch('usable');
  await watch.ready;
  const { revision } = await client.kv.put('usable', 'x', { session });
  for await (const batch of watch) {
    expect(batch.revision).toBe(revision);
    break;
  }
  await session.keepAlive();
  await cache.synced();
}

/** Starts a client for the tests of a file, and sees after each that nothing was written or left over. */
export function mistreat(ready: (mistreated: Mistreated) => void): void {
  let mistreated: Mistreated | undefined;
  let before: Store | undefined;
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    mistreated = await start();
    ready(mistreated);
  });
  beforeEach(async () => {
    before = mistreated && (await storeOf(mistreated.witness));
  });
  afterEach(async ({ task }) => {
    if (mistreated === undefined) return;
    if (task.meta.writes !== true) expect(await storeOf(mistreated.witness)).toEqual(before);
    expect(unhandled.splice(0)).toEqual([]);
    await expectUsable(mistreated);
  });
  afterAll(async () => {
    await mistreated?.client.close();
    await mistreated?.witness.close();
    await mistreated?.etcd.stop();
    process.off('unhandledRejection', note);
  });
}
