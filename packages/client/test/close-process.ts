/**
 * A process of its own in which everything is under way, for tests of how a client ends: it closes the
 * client when it is told to, reports, and leaves it to Node.js to exit.
 */
import { type ClientOptions, connect, createClient } from '../src/index.js';
import { internalsOf } from '../src/internals.js';

export interface Closing {
  readonly timeoutMs?: number;
  /** When the signal of `close` fires. */
  readonly abortAfterMs?: number;
}

export interface Closed {
  readonly tookMs: number;
  /** How each of the waits ended: an error's name and outcome. */
  readonly ends: readonly string[];
  readonly state: string;
}

async function endOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    return `${error.name} ${'outcome' in error ? String(error.outcome) : ''}`;
  }
}

const [json = '{}', how] = process.argv.slice(2);
const options: ClientOptions = JSON.parse(json);
const waits: Promise<string>[] = [];

/** With all that a client can do. */
async function busy() {
  const client = await connect(options);
  const session = await client.session({ ttlMs: 60_000 });
  await client.kv.put('/close/held', 'x', { session });
  await internalsOf(client).borrowSession('lock', 30_000);
  const cache = client.cache({ prefix: '/close/' }, { decode: (kv) => kv.text() });
  await cache.ready;
  waits.push(endOf(cache.waitFor(2n ** 62n)));
  const changes = cache.changes()[Symbol.asyncIterator]();
  const watch = client.watch({ prefix: '/close/never/' }); // as one who waits for a lock has
  await watch.ready;
  const events = watch[Symbol.asyncIterator]();
  waits.push(endOf(events.next()), endOf(changes.next()));
  client.health.subscribe(() => undefined);
  return client;
}

const client = how === 'lazy' ? createClient(options) : await busy();

process.once('message', ({ timeoutMs, abortAfterMs }: Closing) => {
  const controller = new AbortController();
  if (abortAfterMs !== undefined) setTimeout(() => controller.abort(), abortAfterMs);
  // Begun in the same moment: connecting, logging in or on their way.
  const late = [client.kv.get('/close/a'), client.kv.put('/close/a', 'b'), client.session(), client.ping()];
  waits.push(...late.map(endOf), endOf(client.watch('/close/b').ready));
  setTimeout(async () => {
    const startedAt = performance.now();
    await client.close({ timeoutMs, signal: controller.signal });
    const tookMs = performance.now() - startedAt;
    const closed: Closed = { tookMs, ends: await Promise.all(waits), state: client.health.state };
    process.send?.(closed, () => process.disconnect());
  }, 50);
});
process.send?.('ready');
