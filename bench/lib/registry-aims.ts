import { AT_RATE, CACHED, LINEARIZABLE } from './discovery-bench.js';
import type { FleetFigures } from './fleet-bench.js';
import { GO } from './go-peer.js';
import { printTable, type Row, rowOf } from './report.js';

/** What discovery is meant to reach. Shown, never asserted: a busy machine proves nothing. */
export function printRegistryAims(rows: readonly Row[], fleet: FleetFigures | undefined): void {
  const ratio = (callers: number, peer: string): string | undefined => {
    const ours = rowOf(rows, LINEARIZABLE, callers, 'coord')?.perSecond;
    const theirs = rowOf(rows, LINEARIZABLE, callers, peer)?.perSecond;
    return ours === undefined || theirs === undefined ? undefined : `${(ours / theirs).toFixed(2)}×`;
  };
  const cached = rowOf(rows, CACHED, 1, 'coord');
  const rate = rowOf(rows, AT_RATE, 1, 'coord');
  const aims: [what: string, wanted: string, measured: string | undefined][] = [
    ['discover from the cache', '< 5,000 ns', cached && `${Math.round(cached.p50 * 1e6)} ns`],
    ['linearizable at 5,000/s: p99', '< 5 ms', rate && `${rate.p99.toFixed(1)} ms`],
    ['linearizable, 256 callers: discovers/s of etcd3’s', '≥ 5', ratio(256, 'etcd3 getAll')],
    ['linearizable, 256 callers: discovers/s of Go’s', '≥ 1', ratio(256, GO)],
    ['fleet: calls to register all', 'a hundredth', fleet && String(fleet.calls)],
    ['fleet: write to list, p99', '< 50 ms', fleet && `${fleet.writeToListP99Ms.toFixed(1)} ms`],
  ];
  printTable(
    ['aim', 'wanted', 'measured'],
    aims.flatMap(([what, wanted, measured]) => (measured === undefined ? [] : [[what, wanted, measured]])),
  );
}
