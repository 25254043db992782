import { GO } from './go-peer.js';
import { printTable, type Row, rowOf } from './report.js';

/** What the client is meant to reach beside its peers in one run. Shown, never asserted: a busy machine proves nothing. */
export function printAims(rows: readonly Row[]): void {
  const lines = ['put', 'get'].flatMap((workload) => {
    const ratio = (of: 'perSecond' | 'p50', callers: number, peer: string): number | undefined => {
      const ours = rowOf(rows, workload, callers, 'coord')?.[of];
      const theirs = rowOf(rows, workload, callers, peer)?.[of];
      return ours === undefined || theirs === undefined ? undefined : ours / theirs;
    };
    return [
      aim(`${workload}, 256 callers: ops/s of Go's`, '≥ 3', ratio('perSecond', 256, GO)),
      aim(`${workload}, 256 callers: ops/s of etcd3's`, '≥ 10', ratio('perSecond', 256, 'etcd3')),
      aim(`${workload}, 64 callers: ops/s of Go's`, '≥ 2', ratio('perSecond', 64, GO)),
      aim(`${workload}, 1 caller: latency of raw grpc-js's`, '≤ 1', ratio('p50', 1, 'raw grpc-js')),
      aim(`${workload}, 1 caller: latency of Go's`, '≤ 1.6', ratio('p50', 1, GO)),
    ];
  });
  printTable(
    ['aim', 'wanted', 'measured'],
    lines.filter((line) => line !== undefined),
  );
}

function aim(what: string, wanted: string, measured: number | undefined): string[] | undefined {
  return measured === undefined ? undefined : [what, wanted, `${measured.toFixed(2)}×`];
}
