import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  type ClientOptions,
  ClosedError,
  ConnectionError,
  type CoordClient,
  connect,
  createClient,
  ValidationError,
} from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { failure } from './failure.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';

const { etcd } = await oneEtcd();
const closes = closedAfterEach();
const { proxied } = linesTo(etcd, closes);

async function connected(options: ClientOptions): Promise<CoordClient> {
  return closes(await connect(options));
}

describe('connect', () => {
  it('names every endpoint and the reason when nothing listens', async () => {
    const [a, b] = [await proxied(), await proxied()];
    await a.refuse();
    await b.refuse();
    const startedAt = performance.now();
    const error = await failure(connect({ endpoints: [a.endpoint, b.endpoint], dialTimeoutMs: 1_000 }));
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      code: 'COORD_CONNECTION',
      outcome: 'not-applied',
      endpoints: [
        { endpoint: a.endpoint, reason: expect.stringContaining('ECONNREFUSED') },
        { endpoint: b.endpoint, reason: expect.stringContaining('ECONNREFUSED') },
      ],
      message: expect.stringMatching(`${a.address}.*ECONNREFUSED.*${b.address}.*ECONNREFUSED`),
    });
  });

  it('gives up on a black hole within dialTimeoutMs', async () => {
    const proxy = await proxied();
    proxy.blackhole();
    const startedAt = performance.now();
    const error = await failure(connect({ endpoints: [proxy.endpoint], dialTimeoutMs: 600 }));
    expect(performance.now() - startedAt).toBeLessThan(1_100);
    expect(error).toMatchObject({ name: 'ConnectionError', endpoints: [{ endpoint: proxy.endpoint }] });
  });

  it('works with one live endpoint among dead ones', async () => {
    const [dead, frozen, live] = [await proxied(), await proxied(), await proxied()];
    await dead.refuse();
    frozen.blackhole();
    const endpoints = [dead.endpoint, frozen.endpoint, live.endpoint];
    const client = await connected({ endpoints });
    expect(client.health.endpoint).toBe(live.endpoint);
    expect(client.health.state).toBe('ready');
    await client.kv.put('/connect/one-live', 'x');
    expect((await client.ping()).endpoint).toBe(live.endpoint);
  });

  it('an aborted signal rejects before any connection is made', async () => {
    const proxy = await proxied();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const error = await failure(connect({ endpoints: [proxy.endpoint] }, { signal }));
    expect(error).toBeInstanceOf(AbortedError);
    expect(error).toMatchObject({ cause: reason, outcome: 'not-applied' });
    expect(proxy.accepted).toBe(0);
  });

  it('a signal ends the wait for an endpoint', async () => {
    const proxy = await proxied();
    proxy.blackhole();
    const controller = new AbortController();
    const pending = failure(connect({ endpoints: [proxy.endpoint] }, { signal: controller.signal }));
    await eventually(() => proxy.accepted > 0);
    controller.abort();
    expect(await pending).toBeInstanceOf(AbortedError);
  });

  it('bad options and a bad timeout reject with every problem', async () => {
    const error = await failure(connect({ endpoints: ['nonsense'], dialTimeoutMs: -1 }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ issues: [{ path: 'endpoints[0]' }, { path: 'dialTimeoutMs' }] });
    expect(await failure(connect(etcd.connectOptions, { timeoutMs: -1 }))).toBeInstanceOf(ValidationError);
  });

  it('createClient makes no connection before its first use', async () => {
    const proxy = await proxied();
    const client = createClient({ endpoints: [proxy.endpoint] });
    closes(client);
    expect(client.health.state).toBe('idle');
    expect(proxy.accepted).toBe(0);
    expect((await client.ping()).version).toBe(etcd.version);
    expect(client.health.state).toBe('ready');
  });

  it('the escape hatch works, and its policies repeat nothing', async () => {
    const proxy = await proxied();
    const client = await connected({ endpoints: [proxy.endpoint], namespace: '/hatch' });
    await client.etcd3.put('/hatch-outside').value('x');
    expect(await client.etcd3.get('/hatch-outside').string()).toBe('x');
    expect(await client.kv.get('-outside')).toMatchObject({ key: '-outside' });
    await proxy.refuse();
    proxy.cut();
    for (let call = 1; call <= 4; call++) {
      // etcd3's own circuit breaker would answer "Execution prevented" from the third failure on
      expect(String(await failure(client.etcd3.get('x').exec()))).not.toContain('prevented');
    }
    await proxy.accept();
    await eventually(async () => expect(await client.etcd3.get('/hatch-outside').string()).toBe('x'));
  });
});

describe('health', () => {
  it('tells subscribers when the endpoint fails and comes back', async () => {
    const proxy = await proxied();
    const client = await connected({ endpoints: [proxy.endpoint], requestTimeoutMs: 1_000 });
    const states: string[] = [];
    const stop = client.health.subscribe(({ state }) => states.push(state));
    await proxy.refuse();
    proxy.cut();
    await failure(client.ping());
    expect(client.health.endpoints).toMatchObject([{ endpoint: proxy.endpoint, state: 'unhealthy' }]);
    await proxy.accept();
    await eventually(async () => expect((await client.ping()).endpoint).toBe(proxy.endpoint));
    expect(states[0]).toBe('degraded');
    expect(states.at(-1)).toBe('ready');
    stop();
  });
});

describe('close', () => {
  it('rejects calls under way and in a retry pause at once, and everything after', async () => {
    const [frozen, dead] = [await proxied(), await proxied()];
    const client = await connect({ endpoints: [frozen.endpoint] });
    const retry = { initialDelayMs: 4_000, maxDelayMs: 4_000 };
    const pausing = createClient({ endpoints: [dead.endpoint], retry });
    await dead.refuse();
    frozen.blackhole();
    const calls = [failure(client.kv.get('a')), failure(client.kv.put('c', 'd'))];
    const paused = failure(pausing.kv.get('a'));
    await eventually(() => pausing.health.state === 'degraded');
    const startedAt = performance.now();
    await Promise.all([client.close({ timeoutMs: 500 }), pausing.close({ timeoutMs: 500 })]);
    const errors = await Promise.all([...calls, paused]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(errors).toMatchObject([
      { name: 'ClosedError', outcome: 'not-applied' },
      { name: 'ClosedError', outcome: 'unknown' },
      { name: 'ClosedError', outcome: 'not-applied' },
    ]);
    expect(await failure(client.kv.get('a'))).toBeInstanceOf(ClosedError);
    expect(await failure(client.session())).toBeInstanceOf(ClosedError);
    expect(() => client.watch('a')).toThrow(ClosedError);
    expect(client.health.state).toBe('closed');
  });

  it('ends within its deadline though etcd is frozen and a session is being opened', async () => {
    const proxy = await proxied();
    const client = await connect({ endpoints: [proxy.endpoint] });
    const session = await client.session();
    proxy.blackhole();
    const opening = failure(client.session());
    const startedAt = performance.now();
    await client.close({ timeoutMs: 400 });
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(session.state).toBe('closed');
    expect(await opening).toBeInstanceOf(ClosedError);
  });

  it('refused options leave the client open; a second close is the first', async () => {
    const client = await connect(etcd.connectOptions);
    expect(await failure(client.close({ timeoutMs: -1 }))).toBeInstanceOf(ValidationError);
    await client.ping();
    await Promise.all([client.close(), client.close()]);
    await client.close();
    expect(client.health.state).toBe('closed');
  });

  /** Runs a script in a process of its own, with `connect` and the endpoint at hand; resolves to how long it took. */
  async function timeToExit(body: string): Promise<number> {
    const script = `
      import { connect } from '@coord/client';
      const client = await connect({ endpoints: [process.argv[1]] });
      ${body}
      console.log('closed', performance.now());
      process.on('exit', () => console.log('exit', performance.now()));
    `;
    const args = ['--conditions=@coord/source', '--import=tsx', '--input-type=module', '-e', script];
    const options = { cwd: import.meta.dirname, timeout: 20_000 };
    const { stdout } = await promisify(execFile)(process.execPath, [...args, etcd.endpoint], options);
    const [, closed, exit] = /^closed (\S+)\nexit (\S+)\n$/.exec(stdout) ?? [];
    return Number(exit) - Number(closed);
  }

  it('lets the process exit by itself, whatever was running', async () => {
    const everything = `
      const session = await client.session({ ttlMs: 60_000 });
      await client.kv.put('/exit/a', 'b', { session });
      const cache = client.cache({ prefix: '/exit/' }, { decode: (kv) => kv.text() });
      await cache.ready;
      const watch = client.watch({ prefix: '/exit/' });
      await watch.ready;
      client.watch({ prefix: '/never/' });
      const pending = client.session({ ttlMs: 60_000 }).catch(() => undefined);
      await client.close();
      await pending;`;
    expect(await timeToExit(everything)).toBeLessThan(3_000);
    const client = await connected(etcd.connectOptions);
    expect(await client.kv.get('/exit/a')).toBeUndefined(); // the lease was revoked
  });

  it('leaves no stream behind that was opened in the same moment', async () => {
    // grpc-js loses a cancel that comes this early: the stream would keep the process until the next HTTP/2 ping
    expect(await timeToExit(`await client.session(); await client.close();`)).toBeLessThan(3_000);
    const atOnce = 'await client.session(); await client.close({ signal: AbortSignal.abort() });';
    expect(await timeToExit(atOnce)).toBeLessThan(3_000);
    expect(await timeToExit(`client.watch('a'); await client.close();`)).toBeLessThan(3_000);
  });
});
