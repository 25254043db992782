import { GO } from './go-peer.js';
import { AT_RATE, CEILING, CLIENTS, FREE, type LockBench, TASKS } from './lock-bench.js';
import { printTable, rowOf } from './report.js';

/** What locks are meant to reach beside their peers in one run. Shown, never asserted: a busy machine proves nothing. */
export function printLockAims({ rows, writes }: LockBench): void {
  const ratio = (workload: string, callers: number, peer: string): string | undefined => {
    const ours = rowOf(rows, workload, callers, 'coord')?.perSecond;
    const theirs = rowOf(rows, workload, callers, peer)?.perSecond;
    return ours === undefined || theirs === undefined ? undefined : `${(ours / theirs).toFixed(2)}×`;
  };
  const p99 = rowOf(rows, AT_RATE, 1, 'coord')?.p99;
  const aims: [what: string, wanted: string, measured: string | undefined][] = [
    ['free names, 256 callers: cycles/s of Go’s', '≥ 2', ratio(FREE, 256, GO)],
    ['one name, 16 clients: cycles/s of Go’s', '≥ 2.5', ratio(CLIENTS, 16, GO)],
    ['one name, 2 clients in turn: cycles/s of Go’s', '≥ 4', ratio(CLIENTS, 2, GO)],
    ['one name, 16 tasks of one client: share of the ceiling', '≥ 0.75', ratio(TASKS, 16, CEILING)],
    [
      'free names at 5,000/s: p99 of acquire',
      '< 10 ms',
      p99 === undefined ? undefined : `${p99.toFixed(1)} ms`,
    ],
  ];
  for (const [workload, count] of writes) {
    aims.push([`${workload}: writes a cycle`, workload === TASKS ? '1' : '2', count.toFixed(2)]);
  }
  printTable(
    ['aim', 'wanted', 'measured'],
    aims.flatMap(([what, wanted, measured]) => (measured === undefined ? [] : [[what, wanted, measured]])),
  );
}
