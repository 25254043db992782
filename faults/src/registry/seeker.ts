import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import { pick } from '../random.js';
import { Refused } from '../recorder.js';
import type { WorkerContext } from '../run/worker-context.js';
import { instancePrefix, REGISTRY_TTL_MS, registryPrefix, SERVICE } from './registry-names.js';
import type { RegistryShapes } from './registry-operations.js';
import { Settling } from './settling.js';
import { shownInfo } from './shown-info.js';
import { View } from './view.js';
import { holdsLast, type ViewKind, viewName } from './views.js';

type Context = WorkerContext<RegistryShapes>;

const READ_EVERY_MS = 50;
const LOOK_EVERY_MS = 20;
/** Of the reads, how many are told of as a moment. */
const TOLD = 0.05;
/** And how many are followed by what takes an instance out, or all on its lease: the removal and the loss of the lease. */
const REMOVED = 0.01;
const REVOKED = 0.02;
/** How long views may take to come to the end when nothing fails any more. */
const LAST_MS = 20_000;

/** Looks for the instances in every way there is. */
export async function seek(context: Context, client: CoordClient): Promise<void> {
  const { run, index, process } = context.assignment;
  const settling = new Settling(client, run, index);
  await settling.begin('seeker');
  const registry = createRegistry(client, {
    ...{ keyPrefix: registryPrefix(run), ttlMs: REGISTRY_TTL_MS },
    ...(holdsLast(index) ? {} : { emptyHoldMs: 0 }),
  });
  const view = (kind: ViewKind) => new View(context, registry, viewName(process, index, kind));
  const views = [view('all'), view('healthy'), view('cached'), view('changes')] as const;
  const [all, healthy, cached, changes] = views;
  const following = Promise.all([
    all.follow(registry.watchInstances(SERVICE, { health: 'any' })),
    healthy.follow(registry.watchInstances(SERVICE), index * 10),
    cached.poll(() => registry.discover(SERVICE, { health: 'any' }), LOOK_EVERY_MS),
    changes.hear(registry.watch(SERVICE)),
  ]);
  await readOn(context, client, registry);
  const revision = Number((await settling.others('provider', 'settled')) ?? 0n);
  await eventually(
    async () => {
      const instances = await registry.discover(SERVICE, { health: 'any', consistency: 'linearizable' });
      const callable = instances.filter(({ health }) => health === 'healthy');
      return views.every((each) => each.shows(each === healthy ? callable : instances));
    },
    { timeoutMs: LAST_MS, intervalMs: LOOK_EVERY_MS },
  ).catch(() => undefined); // the check will tell
  for (const each of views) each.end(revision);
  await registry.close();
  await following;
  await settling.reached('seen', process);
}

async function readOn(context: Context, client: CoordClient, registry: ServiceRegistry): Promise<void> {
  const { recorder, random, stopped } = context;
  while (!stopped.aborted) {
    if (random() < TOLD) await context.at('before a read');
    const { output } = await recorder.perform('read', {}, async () => {
      const found = await registry.discover(SERVICE, { health: 'any', consistency: 'linearizable' });
      return { instances: found.map(shownInfo) };
    });
    const found = output?.instances ?? [];
    if (found.length > 0) {
      const [id = ''] = pick(found, random()).split(' ');
      const fate = random();
      if (fate < REMOVED) await remove(context, registry, id);
      else if (fate < REMOVED + REVOKED) await revoke(context, client, id);
    }
    await sleep(READ_EVERY_MS);
  }
}

/** As an operator does. */
async function remove({ recorder }: Context, registry: ServiceRegistry, id: string): Promise<void> {
  await recorder.perform('remove', { id }, async () => {
    await registry.deregister(SERVICE, id);
    return {};
  });
}

/** As when etcd has given up on the owner. */
async function revoke({ assignment, recorder }: Context, client: CoordClient, id: string): Promise<void> {
  await recorder.perform('revoke', { id }, async () => {
    const instance = await client.kv.get(`${instancePrefix(assignment.run)}${id}`);
    if (instance === undefined || instance.leaseId === 0n) throw new Refused('it is gone');
    const revoked = client.etcd3.leaseClient.leaseRevoke({ ID: String(instance.leaseId) });
    await revoked.catch(() => {
      throw new Refused('etcd is away, or the lease'); // or has done it: nobody minds
    });
    return {};
  });
}
