import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { getConnection, type LoadBalanceStrategy, type ServiceConnection } from '@coord/grpc-resolver';
import { createRegistry, type ServiceInfo, type ServiceRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import { Settling } from '../registry/settling.js';
import type { WorkerContext } from '../run/worker-context.js';
import { registryPrefix, SERVER_TTL_MS, SERVICE } from './resolver-names.js';
import type { CallOutput, ResolverShapes } from './resolver-operations.js';
import { type SpiedGrpc, spiedGrpc } from './spied-grpc.js';
import { WhoClient } from './who-service.js';

type Context = WorkerContext<ResolverShapes>;

/** By turns, those of a caller. */
const STRATEGIES: readonly (readonly LoadBalanceStrategy[])[] = [
  ['round_robin', 'least_conn', 'pick_first'],
  ['weighted', 'random', 'p2c'],
];
const CALL_EVERY_MS = 40;
/** Of the calls of a connection. */
const TOLD = 0.05;
const LAST_MS = 20_000;

/** Calls the service, over several connections, whatever becomes of etcd. */
export async function call(context: Context, client: CoordClient): Promise<void> {
  const { run, index, process } = context.assignment;
  const settling = new Settling(client, run, index);
  await settling.begin('seeker');
  const registry = createRegistry(client, { keyPrefix: registryPrefix(run), ttlMs: SERVER_TTL_MS });
  const given = new Map<string, readonly string[]>();
  const spied = spiedGrpc((view, instances) => {
    if (String(given.get(view)) === String(instances)) return;
    given.set(view, instances);
    const { revision = 0n, source = 'live' } = registry.status(SERVICE) ?? {};
    context.recorder.observe('list', { view }, { instances, revision: Number(revision), source });
  });
  const strategies = STRATEGIES[((index - 1) / 2) % STRATEGIES.length] ?? [];
  const connections = await Promise.all(
    strategies.map(async (strategy) => {
      const name = `${process} ${strategy}`;
      const { grpc } = spied;
      const channelOptions = spied.channelOptions(name);
      return { name, connection: await getConnection(registry, SERVICE, { strategy, grpc, channelOptions }) };
    }),
  );
  const planted = context.isPlanted('empty on disconnect')
    ? emptyOnDisconnect(registry, spied, given)
    : undefined;
  await Promise.all(connections.map((each) => callOn(context, each)));
  const revision = Number((await settling.others('provider', 'settled')) ?? 0n);
  await eventually(
    async () => {
      const present = addressesOf(await registry.discover(SERVICE, { consistency: 'linearizable' }));
      return connections.every(({ name }) => String(given.get(name)) === String(present));
    },
    { timeoutMs: LAST_MS, intervalMs: 50 },
  ).catch(() => undefined); // the check will tell
  for (const { name } of connections)
    context.recorder.observe('over', { view: name, revision }, { instances: given.get(name) ?? [] });
  clearInterval(planted);
  await Promise.all(connections.map(({ connection }) => connection.close()));
  await registry.close();
  await settling.reached('seen', process);
}

/** One call after another, at a rate, from the time that there is somebody to call. */
async function callOn(
  context: Context,
  { name, connection }: { readonly name: string; readonly connection: ServiceConnection },
): Promise<void> {
  const { recorder, random, stopped } = context;
  const whos = connection.client(WhoClient);
  const ready = await connection.waitForReady({ signal: stopped }).then(
    () => true,
    () => false, // stopped
  );
  const calls = new Set<Promise<unknown>>();
  while (ready && !stopped.aborted) {
    if (random() < TOLD) await context.at('before a call');
    const made = recorder.perform('call', { connection: name }, async (): Promise<CallOutput> => {
      const { code, details, peer } = await whos.who();
      const address = /^[\d.]+:\d+$/.exec(peer)?.[0];
      return { code, ...(address && { address }), ...(code !== 0 && { details }) };
    });
    calls.add(made);
    void made.finally(() => calls.delete(made));
    await sleep(CALL_EVERY_MS);
  }
  await Promise.all(calls);
}

function addressesOf(instances: readonly ServiceInfo[]): string[] {
  return instances.map(({ address, port }) => `${address}:${port}`).sort();
}

/** The planted mistake. */
function emptyOnDisconnect(
  registry: ServiceRegistry,
  spied: SpiedGrpc,
  given: ReadonlyMap<string, readonly string[]>,
): NodeJS.Timeout {
  return setInterval(() => {
    if (registry.status(SERVICE)?.source === 'stale') for (const name of given.keys()) spied.empty(name);
  }, 10);
}
