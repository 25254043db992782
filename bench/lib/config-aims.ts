import { GET, GET_AT_RATE } from './config-bench.js';
import type { ManagerBench } from './manager-bench.js';
import { printTable, type Row, rowOf } from './report.js';

/** What configuration is meant to reach. Shown, never asserted: a busy machine proves nothing. */
export function printConfigAims(rows: readonly Row[], managers: ManagerBench | undefined): void {
  const p99 = rowOf(rows, GET_AT_RATE, 1, 'coord')?.p99;
  const ours = rowOf(rows, GET, 256, 'coord')?.perSecond;
  const theirs = rowOf(rows, GET, 256, 'etcd3')?.perSecond;
  const lines: readonly [what: string, wanted: string, measured: string | undefined][] = [
    ['linearizable get at 5,000/s: p99', '< 3 ms', p99 === undefined ? undefined : `${p99.toFixed(2)} ms`],
    [
      'get, 256 callers: ops/s of etcd3’s',
      '',
      ours !== undefined && theirs !== undefined ? `${(ours / theirs).toFixed(2)}×` : undefined,
    ],
    ['property read', '< 10 ns', managers && `${managers.propertyNs.toFixed(2)} ns`],
    [
      'a change reaches all managers of its key: p99',
      '< 50 ms',
      managers && `${managers.sharedP99.toFixed(1)} ms`,
    ],
  ];
  printTable(
    ['aim', 'wanted', 'measured'],
    lines.flatMap(([what, wanted, measured]) => (measured === undefined ? [] : [[what, wanted, measured]])),
  );
}
