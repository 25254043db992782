import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError, createClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import type { RegisterShapes } from './register-operations.js';
import { registerPrefix } from './register-workload.js';

/** After so many rounds of a worker come other keys: the search for an order grows with what a key has seen. */
const ROUNDS_OF_KEYS = 30;
const KEYS_AT_A_TIME = 2;
/** The pace: more operations in the same time would be more of the same. */
const PAUSE_MS = 10;

type Context = WorkerContext<RegisterShapes>;
type Change = RegisterShapes['cas']['input'];

/** Reads and writes keys that the others read and write, too. */
export async function registerWorker(context: Context): Promise<void> {
  const { assignment, random, stopped } = context;
  const client = createClient({ endpoints: assignment.endpoints, requestTimeoutMs: 2_000 });
  const operations = new Operations(context, client);
  for (let round = 0; !stopped.aborted; round++) {
    if (round % ROUNDS_OF_KEYS === 0) operations.seen.clear();
    const part = Math.floor(round / ROUNDS_OF_KEYS);
    const key = `${registerPrefix(assignment.run)}${part}-${Math.floor(random() * KEYS_AT_A_TIME)}`;
    const value = `${assignment.process}-${round}`;
    const expected = operations.seen.get(key);
    const kind = random();
    // Without a value that was seen there is nothing to compare with: to etcd, no key equals no value.
    if (kind < 0.4) await operations.get(key);
    else if (kind < 0.6 || expected === undefined) await operations.put(key, value);
    else await operations.cas(key, expected, value);
    await sleep(PAUSE_MS);
  }
  for (const key of operations.seen.keys()) await operations.get(key);
  await client.close();
}

class Operations {
  /** The last value of each key that this worker knows of. */
  readonly seen = new Map<string, string>();
  readonly #context: Context;
  readonly #kv: CoordClient['kv'];

  constructor(context: Context, { kv }: CoordClient) {
    this.#context = context;
    this.#kv = kv;
  }

  async get(key: string): Promise<void> {
    const { output } = await this.#context.recorder.perform('get', { key }, async () => {
      return { value: (await this.#kv.get(key))?.text() ?? null };
    });
    if (output?.value) this.seen.set(key, output.value);
  }

  async put(key: string, value: string): Promise<void> {
    await this.#context.at('before a put');
    const put = () => this.#kv.put(key, value).then(() => ({}));
    const { outcome } = await this.#context.recorder.perform('put', { key, value }, put);
    if (outcome === 'ok') this.seen.set(key, value);
  }

  async cas(key: string, expected: string, value: string): Promise<void> {
    await this.#context.at('before a swap');
    const change = { key, expected, value };
    const blind = this.#context.isPlanted('blind retry');
    const { output } = await this.#context.recorder.perform('cas', change, async () => {
      return { swapped: await (blind ? this.#swapBlindly(change) : this.#swap(change)) };
    });
    if (output?.swapped) this.seen.set(key, value);
  }

  async #swap({ key, expected, value }: Change): Promise<boolean> {
    const compare = [{ key, target: 'value', is: '=', to: expected } as const];
    return (await this.#kv.txn({ compare, success: [{ put: { key, value } }] })).succeeded;
  }

  /** The planted mistake: what is unknown is done again. */
  async #swapBlindly(change: Change): Promise<boolean> {
    for (;;) {
      try {
        return await this.#swap(change);
      } catch (error) {
        if (!CoordError.is(error)) throw error;
      }
    }
  }
}
