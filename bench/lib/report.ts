import type { Figures } from './measure.js';

export interface Row extends Figures {
  readonly who: string;
  readonly workload: string;
  readonly callers: number;
}

/** A table with each row's speed as a multiple of each other peer's in the same workload: figures of one run only. */
export function printReport(rows: readonly Row[]): void {
  const peers = [...new Set(rows.map(({ who }) => who))].filter((who) => !who.startsWith('coord'));
  const header = ['workload', 'callers', 'who', 'ops/s', 'p50 ms', 'p99 ms', 'CPU µs/op'];
  const lines = grouped(rows).map((row) => [
    ...[row.workload, String(row.callers), row.who, String(Math.round(row.perSecond))],
    ...[row.p50.toFixed(2), row.p99.toFixed(2), row.cpuMicros?.toFixed(1) ?? ''],
    ...peers.map((who) => times(row, rowOf(rows, row.workload, row.callers, who))),
  ]);
  printTable([...header, ...peers.map((who) => `× ${who}`)], lines);
}

export function rowOf(rows: readonly Row[], workload: string, callers: number, who: string): Row | undefined {
  return rows.find((row) => row.workload === workload && row.callers === callers && row.who === who);
}

export function printTable(header: readonly string[], lines: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  for (const line of [header, ...lines]) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

function times(row: Row, other: Row | undefined): string {
  return other === undefined || other === row ? '' : (row.perSecond / other.perSecond).toFixed(2);
}

/** What is to be compared stands together, in the order in which it came first. */
function grouped(rows: readonly Row[]): Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = `${row.workload} ${row.callers}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups.values()].flat();
}
