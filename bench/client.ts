/** The client beside its peers: puts and gets at several loads, and a crowd of sessions and watchers. See README.md. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { startEtcd } from '@coord/testkit';
import { printAims } from './lib/aims.js';
import { clientBenchOptions } from './lib/client-options.js';
import { benchCrowd, type CrowdStep, printCrowd } from './lib/crowd.js';
import { benchKv } from './lib/kv-bench.js';
import { printReport, type Row } from './lib/report.js';

/** One process with one client, and as many clients as a large service may have by mistake. */
const CROWD_CLIENTS = [1, 100];

const options = clientBenchOptions();
const say = (line: string) => console.error(`  ${line}`);

await using etcd = await startEtcd({ durable: true });
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
console.log(`etcd ${etcd.version}, Node ${process.version}, ${machine}; median of ${options.rounds} rounds`);

let kv: Row[] = [];
if (options.parts.has('put') || options.parts.has('get')) {
  kv = await benchKv(etcd, options, say);
  console.log('');
  printReport(kv);
  console.log('');
  printAims(kv);
}

const crowd: CrowdStep[] = [];
if (options.parts.has('crowd')) {
  for (const clients of CROWD_CLIENTS) {
    crowd.push(...(await benchCrowd(etcd, { crowd: options.crowd, clients }, say)));
  }
  console.log('');
  printCrowd(crowd);
}

if (options.json !== undefined) {
  const { seconds, rounds } = options;
  const run = { etcd: etcd.version, node: process.version, machine, seconds, rounds, kv, crowd };
  await writeFile(options.json, `${JSON.stringify(run, undefined, 2)}\n`);
}
