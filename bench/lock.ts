/** Locks beside their peers: free names at several loads, and one name that everybody wants. See README.md. */
import { cpus } from 'node:os';
import { startEtcd } from '@coord/testkit';
import { printLockAims } from './lib/lock-aims.js';
import { benchLocks } from './lib/lock-bench.js';
import { lockBenchOptions } from './lib/lock-options.js';
import { startRedisPeer } from './lib/redis-peer.js';
import { printReport } from './lib/report.js';

const options = lockBenchOptions();

await using etcd = await startEtcd({ durable: true });
await using redis = await startRedisPeer();
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
console.log(`etcd ${etcd.version}, Node ${process.version}, ${machine}; median of ${options.rounds} rounds`);
if (redis === undefined) console.log('no redis-server on the PATH: without redlock');
if (options.go === undefined) console.log('no --go PATH: without Go');

const bench = await benchLocks(etcd, redis, options, (line) => console.error(`  ${line}`));
console.log('');
printReport(bench.rows);
console.log('');
printLockAims(bench);
