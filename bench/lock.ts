/** Lock cycles (acquire and release): free names at several loads, and one name that everybody wants. */
import { connect } from '@coord/client';
import { createLocks } from '@coord/lock';
import { startEtcd } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import { goRows } from './lib/go-peer.js';
import { measure } from './lib/measure.js';
import { benchOptions, CALLERS } from './lib/options.js';
import { printReport, type Row } from './lib/report.js';

const { seconds, go } = benchOptions();
const CONTENDERS = 16;
const rows: Row[] = [];

await using etcd = await startEtcd({ durable: true });
console.log(`etcd ${etcd.version}, Node ${process.version}, ${seconds} s a workload`);
await using client = await connect(etcd.connectOptions);
await using locks = createLocks(client);
const etcd3 = new Etcd3({ hosts: etcd.endpoint });

for (const callers of CALLERS) {
  const operation = async (id: number): Promise<void> => {
    const lock = await locks.acquire(`bench-${id}`);
    await lock.release();
  };
  rows.push({
    who: 'coord',
    workload: 'free names',
    callers,
    ...(await measure({ callers, seconds, operation })),
  });
}
// etcd3 grants and revokes a lease for each lock, and has no waiting lock.
for (const callers of [1, 64]) {
  const operation = (id: number): Promise<void> =>
    etcd3
      .lock(`bench3-${id}`)
      .ttl(30)
      .do(() => undefined);
  rows.push({
    who: 'etcd3',
    workload: 'free names',
    callers,
    ...(await measure({ callers, seconds, operation })),
  });
}

/** Each contender on a client of its own, as separate processes would be. */
const contenders = await Promise.all(
  Array.from({ length: CONTENDERS }, async () => {
    const own = await connect(etcd.connectOptions);
    return { own, locks: createLocks(own) };
  }),
);
const contended = async (id: number): Promise<void> => {
  const lock = await contenders[id]?.locks.acquire('bench-contended');
  await lock?.release();
};
const figures = await measure({ callers: CONTENDERS, seconds, operation: contended });
rows.push({ who: 'coord', workload: 'one name', callers: CONTENDERS, ...figures });
await Promise.all(contenders.map(({ own }) => own.close()));

if (go) rows.push(...(await goRows(go, etcd.target, 'lock')));
etcd3.close();
printReport(rows);
