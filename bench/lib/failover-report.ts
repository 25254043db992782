import type { EventName } from './failover-events.js';
import type { Call } from './open-loop.js';
import { printTable } from './report.js';

/** What one load saw of one event. Moments are milliseconds after the event. */
export interface FailoverRow {
  readonly event: EventName;
  readonly title: string;
  readonly strategy: string;
  readonly retry: boolean;
  /** That were due after the event. */
  readonly calls: number;
  readonly failed: number;
  /** Failures by code. */
  readonly codes: string;
  /** When the last failed call ended. */
  readonly lastFailedMs: number | undefined;
  /** When the last call began that came to the victim; negative = before the event. */
  readonly lastPickMs: number | undefined;
  /** When the victim was off the list of this process. */
  readonly offListMs: number | undefined;
  readonly p99Ms: number;
}

export interface Observation {
  readonly calls: readonly Call[];
  readonly struckAt: number;
  readonly victim: string | undefined;
  readonly offListAt: number | undefined;
}

export function figuresOf({ calls, struckAt, victim, offListAt }: Observation) {
  const after = calls.filter(({ ended }) => ended >= struckAt);
  const failed = after.filter(({ failure }) => failure !== undefined);
  const picks = calls.filter(({ peer }) => peer === victim).map(({ begun }) => begun - struckAt);
  const latencies = after.map(({ due, ended }) => ended - due).sort((a, b) => a - b);
  const codes = new Map<string, number>();
  for (const { failure = '' } of failed) codes.set(failure, (codes.get(failure) ?? 0) + 1);
  return {
    calls: after.length,
    failed: failed.length,
    codes: [...codes].map(([code, count]) => `${code} ${count}`).join(', '),
    lastFailedMs: latest(failed.map(({ ended }) => ended - struckAt)),
    lastPickMs: latest(picks),
    offListMs: offListAt === undefined ? undefined : offListAt - struckAt,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
}

export function printFailover(rows: readonly FailoverRow[]): void {
  const header = ['event', 'strategy', 'retry', 'calls', 'failed', 'last failed', 'last pick', 'off list'];
  printTable(
    [...header, 'p99 ms', 'noticed by', 'codes'],
    rows.map((row) => [
      ...[row.title, row.strategy, row.retry ? 'yes' : 'no', String(row.calls), String(row.failed)],
      ...[ms(row.lastFailedMs), ms(row.lastPickMs), ms(row.offListMs), row.p99Ms.toFixed(1)],
      ...[noticedBy(row), row.codes],
    ]),
  );
}

/** What calls are meant to suffer at most. Shown, never asserted: a busy machine proves nothing. */
export function printFailoverAims(rows: readonly FailoverRow[]): void {
  const worst = (event: EventName, retry: boolean | undefined, of: (row: FailoverRow) => number) => {
    const found = rows.filter((row) => row.event === event && (retry === undefined || row.retry === retry));
    return found.length === 0 ? '' : String(Math.round(Math.max(...found.map(of))));
  };
  const failed = ({ failed }: FailoverRow) => failed;
  printTable(
    ['aim', 'wanted', 'measured (worst)'],
    [
      ['deregister: failed calls', '0', worst('deregister', undefined, failed)],
      ['drain: failed calls', '0', worst('drain', undefined, failed)],
      ['SIGTERM: failed calls', '0', worst('sigterm', undefined, failed)],
      ['SIGKILL, with retry: failed calls', '0', worst('sigkill', true, failed)],
      ['SIGKILL, without: last failure, ms', '< 50', worst('sigkill', false, (row) => row.lastFailedMs ?? 0)],
      ['etcd leader killed: failed calls', '0', worst('etcd-leader', undefined, failed)],
      ['all of etcd killed: failed calls', '0', worst('etcd-down', undefined, failed)],
    ],
  );
}

/** Longer than from one call that comes to a server to its next. */
const BETWEEN_PICKS_MS = 200;

/** Picks that stop long before the list has changed were stopped by the connection, or by the load that it did not answer. */
function noticedBy({ lastPickMs, offListMs }: FailoverRow): string {
  if (lastPickMs === undefined) return '';
  return offListMs === undefined || lastPickMs < offListMs - BETWEEN_PICKS_MS ? 'connection' : 'list';
}

function latest(moments: readonly number[]): number | undefined {
  return moments.length === 0 ? undefined : Math.max(...moments);
}

function ms(moment: number | undefined): string {
  return moment === undefined ? '-' : `${Math.round(moment)} ms`;
}
