import { type CoordClient, connect } from '@coord/client';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import { type ConfigManager, createConfigManager } from '@coord/config-manager';
import type { EtcdServer } from '@coord/testkit';
import { settledMemory } from './memory.js';

export interface ManagerBench {
  readonly lines: readonly (readonly [what: string, measured: string])[];
  /** From the call that changes the key until a manager shows it, of all managers and changes; in milliseconds. */
  readonly sharedP99: number;
  readonly propertyNs: number;
}

const CHANGES = 20;
/** Before those: the code is not compiled yet, as `measure` has it. The first one of all is told by itself. */
const WARM_UP = 5;
const DEFAULTS = { port: 8080, hosts: ['a', 'b'], pool: { min: 1, max: 10 } };

/** Many managers in one process, and what reading costs. */
export async function benchManagers(
  etcd: EtcdServer,
  count: number,
  say: (line: string) => void,
): Promise<ManagerBench> {
  await using writerClient = await connect(etcd.connectOptions);
  const writer = createConfigCenter(writerClient);
  const lines: [string, string][] = [];

  const shared = await withManagers(
    etcd,
    count,
    () => 'same',
    (managers) => applied(managers, (n) => writer.set('bench/managers/same', { port: n })),
  );
  lines.push([`${count} managers of one key: change to applied`, shared.latency], ...shared.costs);
  say('managers of one key');
  const own = await withManagers(
    etcd,
    count,
    (n) => `own-${n}`,
    async (managers) => {
      const changes = Array.from({ length: count }, (_, n) => ({ key: `bench/managers/own-${n}`, n }));
      return applied(managers, (n) => Promise.all(changes.map(({ key }) => writer.set(key, { port: n }))));
    },
  );
  lines.push(
    [`${count} managers of a key each, all changed at once: change to applied`, own.latency],
    ...own.costs,
  );
  say('managers of a key each');

  const { propertyNs, cachedNs } = await readCosts(etcd);
  lines.push(['manager.current.port', `${propertyNs.toFixed(2)} ns`]);
  lines.push(["config.get(key, { consistency: 'cached' })", `${Math.round(cachedNs)} ns`]);
  await writer.close();
  return { lines, sharedP99: shared.p99, propertyNs };
}

type Manager = ConfigManager<typeof DEFAULTS>;

async function withManagers<T extends object>(
  etcd: EtcdServer,
  count: number,
  component: (n: number) => string,
  work: (managers: readonly Manager[]) => Promise<T>,
): Promise<T & { readonly costs: [string, string][] }> {
  await using client: CoordClient = await connect(etcd.connectOptions);
  const config: ConfigCenter = createConfigCenter(client);
  const before = await settledMemory();
  const startedAt = performance.now();
  const managers = Array.from({ length: count }, (_, n) =>
    createConfigManager({
      config,
      env: 'bench',
      service: 'managers',
      component: component(n),
      defaults: DEFAULTS,
    }),
  );
  await Promise.all(managers.map((manager) => manager.start()));
  const startMs = performance.now() - startedAt;
  const { heap } = await settledMemory();
  const result = await work(managers);
  await Promise.all(managers.map((manager) => manager.stop()));
  await config.close();
  const perManager = (heap - before.heap) / count / 1024;
  return {
    ...result,
    costs: [
      ['  to start them all, and heap of each', `${startMs.toFixed(0)} ms, ${perManager.toFixed(1)} KiB`],
    ],
  };
}

/** How long after the call each manager shows the change. */
async function applied(managers: readonly Manager[], change: (n: number) => Promise<unknown>) {
  const first = await timesOf(managers, 1, change);
  for (let n = 2; n <= WARM_UP; n++) await timesOf(managers, n, change);
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  for (let n = 1; n <= CHANGES; n++) latencies.push(...(await timesOf(managers, WARM_UP + n, change)));
  const { user, system } = process.cpuUsage(cpu);
  const micros = (user + system) / latencies.length;
  const p99 = quantile(latencies, 0.99);
  return {
    latency: `p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${micros.toFixed(0)} µs of CPU for each; the very first change: p99 ${quantile(first, 0.99).toFixed(0)} ms`,
    p99,
  };
}

/** Of one change, how long each manager took. */
async function timesOf(
  managers: readonly Manager[],
  n: number,
  change: (n: number) => Promise<unknown>,
): Promise<number[]> {
  const latencies: number[] = [];
  const port = 10_000 + n;
  let calledAt = 0;
  const all = managers.map(
    (manager) =>
      new Promise<void>((resolve) => {
        const end = manager.subscribe((current) => {
          if (current.port !== port) return;
          latencies.push(performance.now() - calledAt);
          end();
          resolve();
        });
      }),
  );
  calledAt = performance.now();
  await change(port);
  await Promise.all(all);
  return latencies;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

async function readCosts(etcd: EtcdServer): Promise<{ propertyNs: number; cachedNs: number }> {
  await using client = await connect(etcd.connectOptions);
  await using config = createConfigCenter(client);
  await config.set('bench/managers/read', DEFAULTS);
  const names = { env: 'bench', service: 'managers', component: 'read' };
  await using manager = createConfigManager({ config, ...names, defaults: DEFAULTS });
  await manager.start();
  let sum = 0;
  const perRead = (reads: number): number => {
    const startedAt = performance.now();
    for (let i = 0; i < reads; i++) sum += manager.current.port;
    return ((performance.now() - startedAt) / reads) * 1e6;
  };
  perRead(1e6);
  const propertyNs = Math.min(...[1, 2, 3].map(() => perRead(5e7)));
  if (sum === 0) throw new Error('nothing was read');
  const cached = async (reads: number): Promise<number> => {
    const startedAt = performance.now();
    for (let i = 0; i < reads; i++) await config.get('bench/managers/read', { consistency: 'cached' });
    return ((performance.now() - startedAt) / reads) * 1e6;
  };
  await cached(10_000);
  return { propertyNs, cachedNs: Math.min(await cached(50_000), await cached(50_000)) };
}
