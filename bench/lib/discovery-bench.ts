import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connect } from '@coord/client';
import { createRegistry } from '@coord/registry';
import type { EtcdServer } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import { atFixedRate } from './fixed-rate.js';
import { GO } from './go-peer.js';
import { type Figures, measure, medianOf } from './measure.js';
import { CALLERS } from './options.js';
import type { RegistryBenchOptions } from './registry-options.js';
import type { Row } from './report.js';

/** Instances of the services that are read. */
export const INSTANCES = 10;
const MANY = 1_000;
export const LINEARIZABLE = `linearizable, ${INSTANCES} instances`;
export const AT_RATE = 'linearizable at 5,000/s';
export const CACHED = `cached, ${INSTANCES} instances`;
const CACHED_MANY = `cached, ${MANY} instances`;

/** A workload of one peer. */
interface Turn {
  readonly who: string;
  readonly workload: string;
  readonly callers: number;
  run(seconds: number): Promise<Figures>;
}

/** Reading a service: from memory, and from etcd beside the peers, who take turns round by round and in changing order. */
export async function benchDiscovery(
  etcd: EtcdServer,
  options: RegistryBenchOptions,
  say: (line: string) => void,
): Promise<Row[]> {
  await using client = await connect(etcd.connectOptions);
  await using registry = createRegistry(client);
  const etcd3 = new Etcd3({ hosts: etcd.endpoint });
  for (const [name, count] of [
    ['few', INSTANCES],
    ['many', MANY],
  ] as const) {
    const instances = Array.from({ length: count }, (_, id) => ({
      name,
      id: `${name}-${id}`,
      address: `10.0.0.1:${id + 1}`,
    }));
    await Promise.all(
      instances.map((instance) => registry.register({ ...instance, metadata: { zone: 'eu-1' } })),
    );
    await registry.discover(name);
  }

  const turns: Turn[] = [];
  const cached = (workload: string, name: string) =>
    turns.push({
      who: 'coord',
      workload,
      callers: 1,
      run: (seconds) => inBatches(seconds, () => registry.discover(name)),
    });
  cached(CACHED, 'few');
  cached(CACHED_MANY, 'many');
  for (const callers of CALLERS) {
    const add = (who: string, operation: () => Promise<unknown>) =>
      turns.push({
        who,
        workload: LINEARIZABLE,
        callers,
        run: (seconds) => measure({ callers, seconds, operation }),
      });
    add('coord', () => registry.discover('few', { consistency: 'linearizable' }));
    add('etcd3 getAll', () => etcd3.getAll().prefix('/services/few/').json());
    const { go } = options;
    if (go !== undefined) {
      turns.push({
        who: GO,
        workload: LINEARIZABLE,
        callers,
        run: (seconds) => goGets(go, etcd.target, callers, seconds),
      });
    }
  }
  turns.push({
    who: 'coord',
    workload: AT_RATE,
    callers: 1,
    run: (seconds) =>
      atFixedRate({ perSecond: 5_000, seconds }, async () => {
        await registry.discover('few', { consistency: 'linearizable' });
        return async () => undefined;
      }),
  });

  const figures = new Map<Turn, Figures[]>(turns.map((turn) => [turn, []]));
  for (let round = 0; round < options.rounds; round++) {
    const start = round % turns.length;
    for (const turn of [...turns.slice(start), ...turns.slice(0, start)]) {
      const figure = await turn.run(options.seconds);
      figures.get(turn)?.push(figure);
      const { workload, callers, who } = turn;
      say(
        `round ${round + 1}/${options.rounds}: ${workload} ×${callers} ${who}: ${Math.round(figure.perSecond)}/s`,
      );
    }
  }
  etcd3.close();
  return [...figures].map(([{ who, workload, callers }, rounds]) => ({
    who,
    workload,
    callers,
    ...medianOf(rounds),
  }));
}

/** One after another, timed by the hundred: reading the clock costs as much as reading the list. */
async function inBatches(seconds: number, operation: () => Promise<unknown>): Promise<Figures> {
  const BATCH = 100;
  const batch = async () => {
    for (let i = 0; i < BATCH; i++) await operation();
  };
  const { perSecond, p50, p99, cpuMicros = 0 } = await measure({ callers: 1, seconds, operation: batch });
  return { perSecond: perSecond * BATCH, p50: p50 / BATCH, p99: p99 / BATCH, cpuMicros: cpuMicros / BATCH };
}

/** What the Go peer may take beside the measurement. */
const GO_START_MS = 15_000;

/** Go's clientv3 reading and decoding the same service, in a process of its own. */
async function goGets(binary: string, target: string, callers: number, seconds: number): Promise<Figures> {
  const args = [target, 'bench', 'few', String(callers), String(seconds)];
  const timeout = seconds * 1_000 + GO_START_MS;
  const { stdout } = await promisify(execFile)(binary, args, { timeout }).catch((cause: unknown) => {
    throw new Error(`${binary} does not measure: --go wants packages/registry/test/go-peer`, { cause });
  });
  return JSON.parse(stdout);
}
