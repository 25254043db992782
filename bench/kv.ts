/** Puts and linearizable gets of 256 bytes: Coord, etcd3 as it comes, and Go's clientv3 where it is built. */
import { connect } from '@coord/client';
import { startEtcd } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import { goRows } from './lib/go-peer.js';
import { measure } from './lib/measure.js';
import { benchOptions, CALLERS } from './lib/options.js';
import { printReport, type Row } from './lib/report.js';

const { seconds, go } = benchOptions();
const VALUE = 'x'.repeat(256);
const rows: Row[] = [];

await using etcd = await startEtcd({ durable: true });
console.log(`etcd ${etcd.version}, Node ${process.version}, ${seconds} s a workload`);
await using client = await connect(etcd.connectOptions);
const etcd3 = new Etcd3({ hosts: etcd.endpoint });

const peers = [
  {
    who: 'coord',
    put: (key: string) => client.kv.put(key, VALUE),
    get: (key: string) => client.kv.get(key),
  },
  {
    who: 'etcd3',
    put: (key: string) => etcd3.put(key).value(VALUE).exec(),
    get: (key: string) => etcd3.get(key).exec(),
  },
];
for (const callers of CALLERS) {
  for (const { who, put } of peers) {
    const figures = await measure({ callers, seconds, operation: (id) => put(`bench/${id}`) });
    rows.push({ who, workload: 'put', callers, ...figures });
  }
  for (const { who, get } of peers) {
    const figures = await measure({ callers, seconds, operation: (id) => get(`bench/${id}`) });
    rows.push({ who, workload: 'get', callers, ...figures });
  }
}
if (go) rows.push(...(await goRows(go, etcd.target, 'kv')));
etcd3.close();
printReport(rows);
