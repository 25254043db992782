import { connect } from '@coord/client';
import type { EtcdServer } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import type { ClientBenchOptions } from './client-options.js';
import { goRows } from './go-peer.js';
import { type Figures, measure, medianOf } from './measure.js';
import { rawKv } from './raw-kv.js';
import type { Row } from './report.js';

const VALUE = Buffer.alloc(256, 'x');
/** As many keys as the Go peer uses. */
const KEYS = 1_000;

interface Peer {
  readonly who: string;
  readonly put: (key: string) => Promise<unknown>;
  readonly get: (key: string) => Promise<unknown>;
}

/**
 * Puts and linearizable gets of 256 bytes. The peers take turns, round by round and in changing
 * order, so that a machine that gets slower or faster meanwhile favours none.
 */
export async function benchKv(
  etcd: EtcdServer,
  options: ClientBenchOptions,
  say: (line: string) => void,
): Promise<Row[]> {
  await using client = await connect(etcd.connectOptions);
  using raw = rawKv(etcd.target);
  const etcd3 = new Etcd3({ hosts: etcd.endpoint });
  const peers: Peer[] = [
    { who: 'coord', put: (key) => client.kv.put(key, VALUE), get: (key) => client.kv.get(key) },
    {
      who: 'coord, coalesce: false',
      put: (key) => client.kv.put(key, VALUE, { coalesce: false }),
      get: (key) => client.kv.get(key, { coalesce: false }),
    },
    { who: 'etcd3', put: (key) => etcd3.put(key).value(VALUE).exec(), get: (key) => etcd3.get(key).exec() },
    { who: 'raw grpc-js', put: (key) => raw.put(key, VALUE), get: (key) => raw.get(key) },
  ];
  for (let i = 0; i < KEYS; i++) await client.kv.put(keyOf(i), VALUE);

  const figures = new Map<string, Figures[]>();
  const note = (who: string, workload: string, callers: number, round: Figures): void => {
    const name = JSON.stringify([workload, callers, who]);
    figures.set(name, [...(figures.get(name) ?? []), round]);
  };
  const workloads = (['put', 'get'] as const).filter((each) => options.parts.has(each));
  for (let round = 0; round < options.rounds; round++) {
    for (const workload of workloads) {
      for (const callers of options.callers) {
        for (const peer of rotated(peers, round)) {
          let next = 0;
          const operation = () => peer[workload](keyOf(next++));
          const figure = await measure({ callers, seconds: options.seconds, operation });
          note(peer.who, workload, callers, figure);
          say(
            `round ${round + 1}/${options.rounds}: ${workload} ×${callers} ${peer.who}: ${Math.round(figure.perSecond)}/s`,
          );
        }
      }
    }
    if (options.go !== undefined) {
      for (const row of await goRows(options.go, etcd.target, 'kv')) {
        const wanted =
          workloads.some((each) => each === row.workload) && options.callers.includes(row.callers);
        if (wanted) note(row.who, row.workload, row.callers, row);
      }
      say(`round ${round + 1}/${options.rounds}: go clientv3`);
    }
  }
  etcd3.close();
  return [...figures].map(([name, rounds]) => {
    const [workload, callers, who]: [string, number, string] = JSON.parse(name);
    return { workload, callers, who, ...medianOf(rounds) };
  });
}

function keyOf(i: number): string {
  return `bench/${i % KEYS}`;
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
