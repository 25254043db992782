import { connect } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import type { EtcdServer } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import type { ConfigBenchOptions } from './config-options.js';
import { atFixedRate } from './fixed-rate.js';
import { type Figures, measure, medianOf } from './measure.js';
import { CALLERS } from './options.js';
import type { Row } from './report.js';

export const GET = 'get';
export const GET_AT_RATE = 'get at 5,000/s';
export const SET = 'set';
export const CAS = 'compare-and-set';
const KEYS = 1_000;
const VALUE = { host: 'db1.example', port: 5432, pool: { min: 2, max: 20 }, tags: ['a', 'b'] };

interface Turn {
  readonly who: string;
  readonly workload: string;
  readonly callers: number;
  run(seconds: number): Promise<Figures>;
}

/** Reads and writes of one centre beside etcd3, which has neither versions nor history. They take turns. */
export async function benchCalls(
  etcd: EtcdServer,
  options: ConfigBenchOptions,
  say: (line: string) => void,
): Promise<Row[]> {
  await using client = await connect(etcd.connectOptions);
  await using config = createConfigCenter(client);
  const etcd3 = new Etcd3({ hosts: etcd.endpoint });
  const key = (n: number) => `bench/app/${n % KEYS}`;
  for (let n = 0; n < KEYS; n++) await config.set(key(n), VALUE);

  const turns: Turn[] = [];
  const add = (
    who: string,
    workload: string,
    callers: number,
    operation: (id: number, n: number) => Promise<unknown>,
  ) => {
    turns.push({ who, workload, callers, run: (seconds) => measure({ callers, seconds, operation }) });
  };
  if (options.parts.has('read')) {
    for (const callers of CALLERS) {
      add('coord', GET, callers, (id, n) => config.get(key(id * 31 + n)));
      add('etcd3', GET, callers, (id, n) => etcd3.get(`/config/${key(id * 31 + n)}`).json());
    }
    const atRate = async (index: number) => {
      await config.get(key(index));
      return async () => undefined;
    };
    const run = (seconds: number) => atFixedRate({ perSecond: 5_000, seconds }, atRate);
    turns.push({ who: 'coord', workload: GET_AT_RATE, callers: 1, run });
  }
  if (options.parts.has('write')) {
    for (const callers of [1, 64]) {
      add('coord', SET, callers, (id, n) => config.set(`bench/set/${id}`, { ...VALUE, n }));
      const text = JSON.stringify(VALUE);
      add('etcd3', SET, callers, async (id, n) => etcd3.put(`/bench3/set/${id}`).value(`${text}${n}`).exec());
      const versions = new Map<number, number>();
      add('coord', CAS, callers, async (id, n) => {
        const version = versions.get(id) ?? (await config.getVersion(`bench/cas/${callers}-${id}`));
        versions.set(
          id,
          (await config.compareAndSet(`bench/cas/${callers}-${id}`, { ...VALUE, n }, version)).version,
        );
      });
      const revisions = new Map<number, string>();
      add('etcd3', CAS, callers, async (id, n) => {
        const name = `/bench3/cas/${callers}-${id}`;
        const known = revisions.get(id) ?? (await etcd3.get(name).exec()).kvs[0]?.mod_revision ?? '0';
        const done = await etcd3
          .if(name, 'Mod', '==', known)
          .then(etcd3.put(name).value(`${text}${n}`))
          .commit();
        if (!done.succeeded) throw new Error('etcd3: lost a race against nobody');
        revisions.set(id, done.header.revision);
      });
    }
  }

  const figures = new Map<Turn, Figures[]>();
  for (let round = 0; round < options.rounds; round++) {
    const start = round % Math.max(1, turns.length);
    for (const turn of [...turns.slice(start), ...turns.slice(0, start)]) {
      const figure = await turn.run(options.seconds);
      figures.set(turn, [...(figures.get(turn) ?? []), figure]);
      const { workload, callers, who } = turn;
      say(
        `round ${round + 1}/${options.rounds}: ${workload} ×${callers} ${who}: ${Math.round(figure.perSecond)}/s`,
      );
    }
  }
  etcd3.close();
  return turns.map((turn) => {
    const { workload, callers, who } = turn;
    return { workload, callers, who, ...medianOf(figures.get(turn) ?? []) };
  });
}
