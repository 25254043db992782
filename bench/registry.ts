/** Discovery beside its peers, and a fleet of 10,000 instances: registering, hearing of changes, memory. See README.md. */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { startEtcd } from '@coord/testkit';
import { benchDiscovery } from './lib/discovery-bench.js';
import { benchFleet } from './lib/fleet-bench.js';
import { printRegistryAims } from './lib/registry-aims.js';
import { registryBenchOptions } from './lib/registry-options.js';
import { printReport, printTable, type Row } from './lib/report.js';

const options = registryBenchOptions();
const say = (line: string) => console.error(`  ${line}`);

await using etcd = await startEtcd({ durable: true });
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
const load = loadavg()[0]?.toFixed(1);
console.log(
  `etcd ${etcd.version}, Node ${process.version}, ${machine}, load ${load}; median of ${options.rounds} rounds`,
);
if (options.go === undefined) console.log('no --go PATH: without Go');

let rows: readonly Row[] = [];
if (options.parts.has('discover')) {
  rows = await benchDiscovery(etcd, options, say);
  console.log('');
  printReport(rows);
}

const fleet = options.parts.has('fleet') ? await benchFleet(etcd, options, say) : undefined;
if (fleet !== undefined) {
  console.log('');
  printTable(['fleet', 'measured'], fleet.lines);
}

console.log('');
printRegistryAims(rows, fleet);

if (options.json !== undefined) {
  const run = { etcd: etcd.version, node: process.version, machine, load, options, rows, fleet };
  await writeFile(options.json, `${JSON.stringify(run, undefined, 2)}\n`);
}
