import type { Figures } from './measure.js';

export interface Row extends Figures {
  readonly who: string;
  readonly workload: string;
  readonly callers: number;
}

/** A table with each peer's speed as a ratio to ours in the same workload: figures of one run only. */
export function printReport(rows: readonly Row[]): void {
  const header = ['workload', 'callers', 'who', 'ops/s', 'coord is', 'p50 ms', 'p99 ms'];
  const lines = rows.map((row) => {
    const ours = rows.find(
      (each) => each.who === 'coord' && each.workload === row.workload && each.callers === row.callers,
    );
    const ratio = ours === undefined || ours === row ? '' : `${(ours.perSecond / row.perSecond).toFixed(2)}x`;
    const { workload, callers, who, perSecond, p50, p99 } = row;
    return [workload, callers, who, Math.round(perSecond), ratio, p50.toFixed(2), p99.toFixed(2)].map(String);
  });
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  for (const line of [header, ...lines]) {
    console.log(line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  }
}
