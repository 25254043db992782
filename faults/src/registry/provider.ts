import type { CoordClient } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import type { WorkerContext } from '../run/worker-context.js';
import { hookedClient } from './hooked-client.js';
import { instancePrefix, REGISTRY_TTL_MS, registryPrefix } from './registry-names.js';
import type { RegistryShapes } from './registry-operations.js';
import { instanceOf } from './service-states.js';
import { Settling } from './settling.js';
import { Slot } from './slot.js';

/** How often a moment is told of; those of a lease that was lost are, always. */
const TOLD = 0.25;
/** How long it may take until etcd has what the provider wants, when nothing fails any more. */
const SETTLED_MS = 25_000;

/** Has instances of its own, and one that all providers claim; and in the end says goodbye, when all have seen them. */
export async function provide(context: WorkerContext<RegistryShapes>, client: CoordClient): Promise<void> {
  const { run, index, process } = context.assignment;
  const settling = new Settling(client, run, index);
  await settling.begin('provider');
  const at = async (point: string) => {
    const isRare = point.endsWith(' registration') && slots.some(({ recovers }) => recovers);
    if (isRare || context.random() < TOLD) await context.at(isRare ? point.replace(' a ', ' a new ') : point);
  };
  const registry = createRegistry(hookedClient(client, at, context.random), {
    keyPrefix: registryPrefix(run),
    ttlMs: REGISTRY_TTL_MS,
  });
  const lost = () => void context.at('the lease is lost');
  const slots: readonly Slot[] = [`${index}-a`, `${index}-b`, 'shared'].map(
    (id) => new Slot({ context, client, registry, id, lost }),
  );
  await Promise.all(slots.map((slot) => slot.change()));
  await eventually(
    async () =>
      sameMembers(
        await present(),
        slots.flatMap(({ wanted }) => wanted),
      ),
    {
      timeoutMs: SETTLED_MS,
      intervalMs: 50,
    },
  ).catch(() => undefined); // the check will tell
  await settling.reached('settled', process);
  await settling.others('seeker', 'seen');
  await Promise.all(slots.map((slot) => slot.leave()));
  await registry.close();

  /** The registrations of this process that etcd has. */
  async function present(): Promise<string[]> {
    const { kvs } = await client.kv.range({ prefix: instancePrefix(run) });
    const all = kvs.map((kv) => instanceOf(kv.text()).registration);
    return all.filter((registration) => registration.startsWith(`${process}-`));
  }
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}
