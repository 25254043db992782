/** Whatever is done to one id, in whatever order, over a line that fails: what is in etcd is what the handles say. */
import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, eventually, type Proxy as LineProxy, startEtcd, startProxy } from '@coord/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type Registration, type ServiceRegistry } from '../src/index.js';

const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.COORD_RUNS ?? 25);
const PATIENT = { timeoutMs: 30_000 };
let etcd: EtcdServer;
let proxy: LineProxy;
/** The one whose line fails. */
let shaky: CoordClient;
let steady: CoordClient;
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.target });
  shaky = await connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 1_000, dialTimeoutMs: 10_000 });
  steady = await connect(etcd.connectOptions);
});

afterAll(async () => {
  await Promise.all([shaky?.close(), steady?.close()]);
  await proxy?.close();
  await etcd?.stop();
});

const STEPS = [
  'register',
  'register',
  'register elsewhere',
  'register elsewhere',
  'update',
  'update from elsewhere',
  'drain',
  'deregister',
  'deregister',
  'deregister from elsewhere',
  'delete',
  'lose the lease',
  'cut',
  'go dark',
  'heal',
] as const;
type Step = (typeof STEPS)[number];

/** One id and everything that is done to it. */
class Story {
  readonly name = `story-${++names}`;
  readonly key = `/services/${this.name}/a`;
  /** By port, which tells the registrations apart. */
  readonly handles = new Map<number, Registration>();
  /** Up to this port, somebody has wanted an instance out. */
  #mayBeOut = 0;
  #othersAtIt = 0;
  readonly #own: ServiceRegistry = createRegistry(shaky, { ttlMs: 2_000 });
  readonly #foreign: ServiceRegistry = createRegistry(steady, { ttlMs: 2_000 });
  readonly #underWay: Promise<unknown>[] = [];
  #port = 0;

  /** Begins a step, and does not wait for its end. */
  begin(step: Step, of: number): void {
    this.#underWay.push(this.#do(step, of).catch(() => undefined)); // refusals are answers, too
  }

  /** Resolves when everything that was begun has ended, over a line that works again. */
  async end(): Promise<void> {
    await proxy.heal();
    await Promise.all(this.#underWay);
  }

  /** Those that were taken out though nobody has asked for it. */
  get robbed(): readonly Registration[] {
    const kept = [...this.handles].filter(([port]) => port > this.#mayBeOut);
    return kept.flatMap(([, handle]) => (handle.state === 'deregistered' ? [handle] : []));
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.close(PATIENT), this.#foreign.close(PATIENT)]);
  }

  /** @param of the handle: 0 = the newest */
  async #do(step: Step, of: number): Promise<unknown> {
    const [port = 0, handle] = [...this.handles].at(-1 - of) ?? [];
    switch (step) {
      case 'register':
        return await this.#register(this.#own);
      case 'register elsewhere':
        return await this.#register(this.#foreign);
      case 'update':
        return await handle?.updateHealth('unhealthy');
      case 'update from elsewhere':
        return await this.#foreign.updateHealth(this.name, 'a', 'maintenance');
      case 'drain':
        this.#wantOut(port);
        return await handle?.drain({ waitMs: 20 });
      case 'deregister':
        this.#wantOut(port);
        return await handle?.deregister();
      case 'deregister from elsewhere':
        return await this.#takeOut(() => createRegistry(steady).deregister(this.name, 'a'));
      case 'delete':
        return await this.#takeOut(() => steady.kv.delete(this.key));
      case 'lose the lease': {
        const leaseId = (await steady.kv.get(this.key))?.leaseId;
        return leaseId && (await steady.etcd3.leaseClient.leaseRevoke({ ID: String(leaseId) }));
      }
      case 'cut':
        return proxy.cut();
      case 'go dark':
        return proxy.blackhole('toClient');
      case 'heal':
        return await proxy.heal();
    }
  }

  /** Older ones may go, too: they have come back too late to hear of it. */
  #wantOut(port: number): void {
    this.#mayBeOut = Math.max(this.#mayBeOut, port);
  }

  /** Whichever is there. */
  async #takeOut(act: () => Promise<unknown>): Promise<void> {
    this.#othersAtIt++;
    this.#wantOut(this.#port);
    await act().finally(() => this.#othersAtIt--);
  }

  async #register(registry: ServiceRegistry): Promise<void> {
    const port = ++this.#port;
    if (this.#othersAtIt > 0) this.#wantOut(port);
    const registration = await registry.register({ name: this.name, id: 'a', address: '10.0.0.1', port });
    this.handles.set(port, registration);
  }
}

describe('one id', () => {
  it('is in etcd exactly when somebody has it registered, and then as he says', async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat(2), fc.nat(3)), {
      minLength: 3,
      maxLength: 20,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const story = new Story();
        for (const [step, of, pauses] of plan) {
          story.begin(step, of);
          for (let pause = 0; pause < pauses; pause++) await steady.kv.get(story.key);
        }
        await story.end();
        await eventually(async () => {
          const kv = await steady.kv.get(story.key);
          const handles = [...story.handles].map(([port, { state }]) => ({ port, state }));
          for (const { state } of handles) expect(state).not.toMatch(/recovering|leaving/);
          const registered = handles.filter(({ state }) => state === 'registered');
          const stored = Object(kv?.json());
          expect(registered.map(({ port }) => port)).toEqual(kv ? [stored.port] : []);
          if (!kv) return;
          expect(stored.leaving).toBeUndefined();
          expect(kv.leaseId).toBeGreaterThan(0n);
          expect(story.handles.get(stored.port)?.service.health).toBe(stored.health);
        }, PATIENT);
        expect(story.robbed).toEqual([]);
        await story.close();
        expect(await steady.kv.get(story.key)).toBeUndefined();
      }),
      { seed, numRuns, endOnFailure: true },
    );
  }, 300_000);
});
