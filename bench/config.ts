/** Configuration: reads and writes beside etcd3, many managers in one process, a prefix of many keys. See README.md. */
import { cpus, loadavg } from 'node:os';
import { startEtcd } from '@coord/testkit';
import { printConfigAims } from './lib/config-aims.js';
import { benchCalls } from './lib/config-bench.js';
import { configBenchOptions } from './lib/config-options.js';
import { benchManagers } from './lib/manager-bench.js';
import { benchPrefix } from './lib/prefix-bench.js';
import { printReport, printTable } from './lib/report.js';

const options = configBenchOptions();
const { parts } = options;
const say = (line: string) => console.error(`  ${line}`);

await using etcd = await startEtcd({ durable: true });
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, load ${loadavg()[0]?.toFixed(1)}`;
console.log(`etcd ${etcd.version}, Node ${process.version}, ${machine}; median of ${options.rounds} rounds`);

const rows = parts.has('read') || parts.has('write') ? await benchCalls(etcd, options, say) : [];
if (rows.length > 0) {
  console.log('');
  printReport(rows);
}
const managers = parts.has('managers') ? await benchManagers(etcd, options.managers, say) : undefined;
if (managers !== undefined) {
  console.log('');
  printTable(['managers', 'measured'], managers.lines);
}
if (parts.has('prefix')) {
  console.log('');
  printTable([`prefix of ${options.keys} keys`, 'measured'], await benchPrefix(etcd, options.keys, say));
}
console.log('');
printConfigAims(rows, managers);
