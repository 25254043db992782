import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, type CoordClient, connect, createClient } from '../src/index.js';
import type { Closed, Closing } from './close-process.js';
import { unansweringAddress } from './unanswering-address.js';

/** How much longer than its deadline something may take on a busy machine. */
const SLACK_MS = 1_500;
/** Less than what keeps a process that was forgotten: HTTP/2 pings, calls, reconnects. */
const EXIT_MS = 4_000;
const children: ChildProcess[] = [];
let etcd: EtcdServer;
let witness: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true });
  witness = await connect(etcd.connectOptions);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  if (etcd.state !== 'running') await etcd.restart();
});
afterAll(async () => {
  await witness?.close();
  await etcd?.stop();
});

async function started(
  how: 'busy' | 'lazy',
  clientOptions: ClientOptions = etcd.connectOptions,
): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('close-process.ts', import.meta.url));
  const execArgv = ['--conditions=@coord/source', '--import=tsx'];
  const options = JSON.stringify(clientOptions);
  const child = fork(script, [options, how], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.push(child);
  const [message] = await once(child, 'message');
  expect(message).toBe('ready');
  return child;
}

/** Closes the client in that process, and sees that nothing keeps the process. */
async function closed(child: ChildProcess, closing: Closing): Promise<Closed> {
  const reported: Promise<Closed[]> = once(child, 'message').then((messages) => messages);
  const exited = once(child, 'exit').then(([code]) => ({ code, at: performance.now() }));
  child.send(closing);
  const [report] = await reported;
  const reportedAt = performance.now();
  const { code, at } = await exited;
  expect(code).toBe(0); // by itself: nobody calls process.exit(), and an unhandled rejection would be 1
  expect(at - reportedAt).toBeLessThan(EXIT_MS);
  if (report === undefined) throw new Error('no report');
  return report;
}

const NEVER_SENT = 'ClosedError not-applied';

describe('close() ends everything within its deadline, and the process exits', () => {
  it('while all is well: leases are revoked', async () => {
    const child = await started('busy');
    expect(await witness.kv.get('/close/held')).toBeDefined();
    const { tookMs, ends, state } = await closed(child, { timeoutMs: 5_000 });
    expect(tookMs).toBeLessThan(5_000);
    expect(state).toBe('closed');
    expect(ends.slice(0, 1)).toEqual([NEVER_SENT]); // cache.waitFor
    expect(ends.slice(1, 3)).toEqual(['resolved', 'resolved']); // the loops of the watch and the cache
    await eventually(async () => expect(await witness.kv.get('/close/held')).toBeUndefined());
  });

  const faults: [string, () => Promise<void>][] = [
    ['etcd is frozen', () => etcd.pause()],
    ['etcd is gone', () => etcd.kill()],
  ];
  for (const [fault, begin] of faults) {
    it.each([300, 1_500])(`while ${fault}: timeoutMs %i`, async (timeoutMs) => {
      const child = await started('busy');
      await begin();
      const { tookMs, ends, state } = await closed(child, { timeoutMs });
      expect(tookMs).toBeLessThan(timeoutMs + SLACK_MS);
      expect(state).toBe('closed');
      for (const end of ends.slice(3)) expect(end).toMatch(/^(ClosedError|ConnectionError) /);
    });

    it(`while ${fault}, before it ever connected`, async () => {
      const child = await started('lazy');
      await begin();
      const { tookMs, ends } = await closed(child, { timeoutMs: 300 });
      expect(tookMs).toBeLessThan(300 + SLACK_MS);
      for (const end of ends) expect(end).toMatch(/^(ClosedError|ConnectionError) not-applied$/); // nothing was sent
    });
  }

  it('while etcd is frozen: sooner when its signal fires', async () => {
    const child = await started('busy');
    await etcd.pause();
    const { tookMs, state } = await closed(child, { timeoutMs: 60_000, abortAfterMs: 200 });
    expect(tookMs).toBeLessThan(200 + SLACK_MS);
    expect(state).toBe('closed');
  });

  it.each(['both', 'toServer', 'toClient'] as const)('over a line that is dead: %s', async (direction) => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    const child = await started('busy', { ...etcd.connectOptions, endpoints: [proxy.endpoint] });
    proxy.blackhole(direction);
    const { tookMs, state } = await closed(child, { timeoutMs: 500 });
    expect(tookMs).toBeLessThan(500 + SLACK_MS);
    expect(state).toBe('closed');
  });

  it.each([true, false])('while a server that says nothing is being connected to; TLS: %s', async (tls) => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    proxy.blackhole();
    const endpoint = `${tls ? 'https' : 'http'}://${proxy.address}`;
    const child = await started('lazy', { endpoints: [endpoint], dialTimeoutMs: 60_000 });
    const { tookMs, ends } = await closed(child, { timeoutMs: 300 });
    expect(proxy.accepted).toBeGreaterThan(0);
    expect(tookMs).toBeLessThan(300 + SLACK_MS);
    for (const end of ends) expect(end).toBe(NEVER_SENT);
  });

  it('while an address is being connected to where packets are dropped', async () => {
    await using address = await unansweringAddress();
    const child = await started('lazy', { endpoints: [address.endpoint], dialTimeoutMs: 60_000 });
    const { tookMs, ends } = await closed(child, { timeoutMs: 300 });
    expect(tookMs).toBeLessThan(300 + SLACK_MS);
    for (const end of ends) expect(end).toBe(NEVER_SENT);
  });

  it('and leaves no connection behind', async () => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    for (let times = 0; times < 5; times++) {
      const client = await connect({ ...etcd.connectOptions, endpoints: [proxy.endpoint] });
      client.watch('a');
      await client.close();
    }
    await eventually(() => proxy.connections === 0);
  });

  it('in the middle of connecting and logging in', async () => {
    for (const afterMs of [0, 20, 60, 120]) {
      const client = createClient(etcd.connectOptions);
      const ends = [client.kv.get('a'), client.kv.put('/close/middle', 'x'), client.session()].map((call) =>
        call.then(() => 'done', String),
      );
      const startedAt = performance.now();
      await eventually(() => performance.now() - startedAt >= afterMs, { intervalMs: 5 });
      await client.close();
      for (const end of await Promise.all(ends)) expect(end).toMatch(/^done$|ClosedError/);
    }
  });
});

describe('an AbortSignal', () => {
  it('ends a call wherever it is: connecting, logging in, on its way; and its outcome is true', async () => {
    const outcomes = new Set<unknown>();
    for (const [index, afterMs] of [0, 30, 150, 250, 350, 450, 550, 650, 750].entries()) {
      await using proxy = await startProxy({ target: etcd.endpoint });
      proxy.delay(60); // so that connecting, logging in and the call itself take their time
      await using client = createClient({ ...etcd.connectOptions, endpoints: [proxy.endpoint] });
      const controller = new AbortController();
      const reason = new Error(`after ${afterMs} ms`);
      let abortedAt = Number.NaN;
      setTimeout(() => {
        abortedAt = performance.now();
        controller.abort(reason);
      }, afterMs);
      const key = `/abort/${index}`;
      const end = await client.kv.put(key, 'x', { signal: controller.signal }).then(
        () => ({ name: 'done', outcome: 'applied' }),
        (error: unknown) => error,
      );
      if (!(end instanceof Error)) continue;
      expect(performance.now() - abortedAt).toBeLessThan(SLACK_MS);
      expect(end).toMatchObject({ name: 'AbortedError', cause: reason });
      const outcome = 'outcome' in end ? end.outcome : undefined;
      outcomes.add(outcome);
      // The next write of the same client over the same line comes after whatever was sent.
      await client.kv.put('/abort/after', 'x');
      if (outcome === 'not-applied') expect(await witness.kv.get(key)).toBeUndefined();
    }
    expect(outcomes).toContain('not-applied');
  });
});
