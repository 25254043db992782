import { eventually } from '@coord/testkit';
import type { Violation } from '../violation.js';
import type { Figures } from './workload.js';

/** Leases of those who were killed run out by then, over a change of leader, too. */
const PASSING_MS = 60_000;
const ANSWER_MS = 5_000;

/** What etcd still keeps for clients. When all have gone it must be nothing. */
export interface Left {
  readonly leases: number;
  /** Places in queues, registrations and the like: keys that go with their lease. */
  readonly leasedKeys: readonly string[];
  readonly watchers: number;
  /** Calls for watches and keepalives that neither side has ended. */
  readonly streams: number;
}

/** Waits until nothing is left of any client, but not for ever, and says what there is. */
export async function leftBehind(endpoints: readonly string[], timeoutMs = PASSING_MS): Promise<Left> {
  let left: Left | undefined;
  const nothing = async () => {
    left = await leftNow(endpoints);
    return leaksIn(left).length === 0;
  };
  await eventually(nothing, { timeoutMs }).catch(() => undefined);
  return left ?? (await leftNow(endpoints));
}

/** What there is now; asks each member, by HTTP: no stream and no lease is its own. */
export async function leftNow(endpoints: readonly string[]): Promise<Left> {
  const counts = await Promise.all(endpoints.map(countsOf));
  const sum = (of: 'watchers' | 'streams') => counts.reduce((total, each) => total + each[of], 0);
  const leases = Math.max(...(await Promise.all(endpoints.map(leasesOf))));
  const leasedKeys = leases > 0 ? await leasedKeysOf(endpoints[0] ?? '') : [];
  return { leases, leasedKeys, watchers: sum('watchers'), streams: sum('streams') };
}

export function leaksIn({ leases, leasedKeys, watchers, streams }: Left): Violation[] {
  const found = [
    ...(leases > 0 ? [`${leases} leases`] : []),
    ...(leasedKeys.length > 0 ? [`keys on leases: ${leasedKeys.slice(0, 10).join(' ')}`] : []),
    ...(watchers > 0 ? [`${watchers} watchers`] : []),
    ...(streams > 0 ? [`${streams} streams`] : []),
  ];
  return found.map((what) => ({ invariant: 'left', what: `etcd still has ${what}` }));
}

/** For the report, which so shows that it was looked for. */
export function countLeft({ leases, leasedKeys, watchers, streams }: Left): Figures {
  return {
    'leases, keys on leases, watchers and streams left': leases + leasedKeys.length + watchers + streams,
  };
}

async function leasesOf(endpoint: string): Promise<number> {
  const { leases = [] }: { leases?: unknown[] } = await post(`${endpoint}/v3/lease/leases`, {});
  return leases.length;
}

async function leasedKeysOf(endpoint: string): Promise<string[]> {
  const all = Buffer.from([0]).toString('base64');
  type Answer = { kvs?: { key: string; lease?: string }[] };
  const { kvs = [] }: Answer = await post(`${endpoint}/v3/kv/range`, {
    ...{ key: all, range_end: all, keys_only: true },
  });
  return kvs
    .filter(({ lease = '0' }) => lease !== '0')
    .map(({ key }) => Buffer.from(key, 'base64').toString());
}

/** By its metrics, of etcd 3.4 and 3.5: https://etcd.io/docs/v3.5/metrics/ */
async function countsOf(endpoint: string): Promise<{ watchers: number; streams: number }> {
  const metrics = await (await ask(`${endpoint}/metrics`)).text();
  const sum = (name: string, labels = '') => {
    const series = [...metrics.matchAll(new RegExp(`^${name}(?:\\{.*${labels}.*\\})? (\\S+)$`, 'gm'))];
    if (series.length === 0) throw new Error(`${endpoint} does not count ${name}`);
    return series.reduce((total, [, value]) => total + Number(value), 0);
  };
  const calls = (what: string) => sum(`grpc_server_${what}_total`, 'grpc_type="bidi_stream"');
  return {
    watchers: sum('etcd_debugging_mvcc_watcher_total'),
    streams: calls('started') - calls('handled'),
  };
}

async function post<T>(url: string, body: object): Promise<T> {
  const answer = await ask(url, { method: 'POST', body: JSON.stringify(body) });
  return (await answer.json()) as T;
}

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return answer;
}
