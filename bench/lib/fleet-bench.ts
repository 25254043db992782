import { type CoordClient, connect } from '@coord/client';
import { createRegistry, type InstancesWatch } from '@coord/registry';
import type { EtcdServer } from '@coord/testkit';
import { countCalls } from './etcd-calls.js';
import { settledMemory } from './memory.js';
import type { RegistryBenchOptions } from './registry-options.js';

const CHANGES = 500;

export interface FleetFigures {
  readonly lines: readonly [what: string, measured: string][];
  readonly registerMs: number;
  /** Calls that etcd was sent to register the fleet. */
  readonly calls: number;
  readonly writeToListP99Ms: number;
}

/** A large service: registered by one process, followed by another client, changed one by one. */
export async function benchFleet(
  etcd: EtcdServer,
  { fleet }: RegistryBenchOptions,
  say: (line: string) => void,
): Promise<FleetFigures> {
  await using owner = await connect(etcd.connectOptions);
  await using reader = await connect(etcd.connectOptions);
  const registering = createRegistry(owner, { ttlMs: 60_000 });
  const lines: [string, string][] = [];
  const note = (what: string, measured: string) => {
    lines.push([what, measured]);
    say(`${what}: ${measured}`);
  };

  const empty = await settledMemory();
  let registerMs = 0;
  const counts = await countCalls(etcd.endpoint, async () => {
    const startedAt = performance.now();
    const instances = Array.from({ length: fleet }, (_, id) => ({
      name: 'fleet',
      id: `instance-${id}`,
      address: `10.${id >> 16}.${(id >> 8) & 255}.${id & 255}:8080`,
      metadata: { zone: `eu-${id % 3}` },
    }));
    await Promise.all(instances.map((instance) => registering.register(instance, { timeoutMs: 120_000 })));
    registerMs = performance.now() - startedAt;
  });
  note(`register ${fleet} instances`, seconds(registerMs));
  const calls = [...counts.values()].reduce((sum, count) => sum + count, 0);
  note('  calls for it', [...counts].map(([method, count]) => `${count} ${method}`).join(', '));
  const registered = await settledMemory();
  note('  memory for each, registering side', kib((registered.heap - empty.heap) / fleet));

  const discovery = createRegistry(reader);
  const listedMs = await timed(() => discovery.discover('fleet'));
  note('first discover', seconds(listedMs));
  const followed = await settledMemory();
  note('  memory for each, discovering side', kib((followed.heap - registered.heap) / fleet));
  note('listServices', seconds(await timed(() => discovery.listServices())));

  const { list, acknowledged } = await writeToList(owner, reader);
  note(`one change in ${fleet}: write to list, p50 / p99`, pair(list));
  note('  of which write to acknowledgement, p50 / p99', pair(acknowledged));
  note(
    `deregister ${fleet} instances`,
    seconds(await timed(() => registering.close({ timeoutMs: 120_000 }))),
  );
  await discovery.close();
  return { lines, registerMs, calls, writeToListP99Ms: at(list, 0.99) };
}

/** From when a change is sent until another client's `watchInstances` has yielded the list that shows it. */
async function writeToList(
  writer: CoordClient,
  reader: CoordClient,
): Promise<{ list: number[]; acknowledged: number[] }> {
  await using registry = createRegistry(reader);
  await using watch = registry.watchInstances('fleet');
  await watch.next();
  const list: number[] = [];
  const acknowledged: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const value = JSON.stringify({ Addr: `10.9.9.9:${change + 1}` });
    const startedAt = performance.now();
    const written = writer.kv
      .put('/services/fleet/changing', value)
      .then(() => performance.now() - startedAt);
    await untilShown(watch, change + 1);
    list.push(performance.now() - startedAt);
    acknowledged.push(await written);
  }
  await writer.kv.delete('/services/fleet/changing');
  return { list, acknowledged };
}

async function untilShown(watch: InstancesWatch, changedPort: number): Promise<void> {
  for (let shown = false; !shown; ) {
    const next = await watch.next();
    if (next.done) throw new Error('the watch has ended');
    shown = next.value.some(({ id, port }) => id === 'changing' && port === changedPort);
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

function at(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

const pair = (values: readonly number[]) =>
  `${at(values, 0.5).toFixed(1)} / ${at(values, 0.99).toFixed(1)} ms`;
const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
const kib = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KiB`;
