import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError } from '@coord/client';
import { createRegistry, type Registration, type ServiceRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import { Settling } from '../registry/settling.js';
import type { WorkerContext } from '../run/worker-context.js';
import { registryPrefix, SERVER_TTL_MS, SERVICE } from './resolver-names.js';
import type { ResolverShapes } from './resolver-operations.js';
import { WhoServer } from './who-server.js';

type Context = WorkerContext<ResolverShapes>;

/** How long it serves in one place. */
const SERVES_MS = { least: 4_000, most: 12_000 };
const MOMENT_EVERY_MS = 200;
const PLANTED_MS = 300;

interface Serving {
  readonly address: string;
  readonly who: WhoServer;
  readonly registration: Registration;
}

/** Serves, leaves, and serves again elsewhere under the same id; in the end it stays until all callers have seen it. */
export async function serve(context: Context, client: CoordClient): Promise<void> {
  const { assignment, random, stopped } = context;
  const settling = new Settling(client, assignment.run, assignment.index);
  await settling.begin('provider');
  const registry = createRegistry(client, {
    keyPrefix: registryPrefix(assignment.run),
    ttlMs: SERVER_TTL_MS,
  });
  const hurry = context.isPlanted('stops before it drains') ? 0.1 : 1;
  const stopping: Promise<void>[] = [];
  for (;;) {
    const serving = await begin(context, registry);
    const until =
      performance.now() + hurry * (SERVES_MS.least + random() * (SERVES_MS.most - SERVES_MS.least));
    while (performance.now() < until && !stopped.aborted) {
      await context.at('while it serves');
      await sleep(MOMENT_EVERY_MS);
    }
    if (stopped.aborted) {
      await eventually(() => serving.registration.state === 'registered', { timeoutMs: 20_000 }).catch(
        () => undefined, // the check will tell
      );
      await settling.reached('settled', assignment.process);
      await settling.others('seeker', 'seen');
      await depart(context, serving);
      stopping.push(serving.who.stop());
      await Promise.all(stopping);
      await registry.close();
      return;
    }
    await depart(context, serving);
    stopping.push(serving.who.stop()); // which takes as long as a caller is frozen
  }
}

/** Until it is registered. */
async function begin({ assignment, recorder }: Context, registry: ServiceRegistry): Promise<Serving> {
  const who = await WhoServer.start();
  const address = `127.0.0.1:${who.port}`;
  const registrations: Registration[] = [];
  await recorder.perform('serve', { address }, async () => {
    const service = {
      ...{ name: SERVICE, id: `server-${assignment.index}`, address },
      metadata: { registration: assignment.process },
    };
    const register = async () => {
      registrations.push(await registry.register(service));
    };
    await eventually(register, { timeoutMs: 60_000, intervalMs: 50 });
    return {};
  });
  const [registration] = registrations;
  if (registration === undefined) throw new Error(`${assignment.process} could not register`);
  return { address, who, registration };
}

/** As a service should that is to end: nobody is sent there any more; what is under way may then be finished. */
async function depart(context: Context, { address, who, registration }: Serving): Promise<void> {
  await context.at('before it departs');
  await context.recorder.perform('depart', { address }, async () => {
    if (context.isPlanted('stops before it drains')) {
      who.refuse();
      await sleep(PLANTED_MS);
    }
    const drained = () => registration.drain();
    await eventually(drained, { timeoutMs: 60_000, intervalMs: 50 }).catch((error: unknown) => {
      if (!CoordError.is(error)) throw error;
    });
    return {};
  });
}
