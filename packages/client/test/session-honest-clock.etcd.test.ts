import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually, type Proxy as TcpProxy } from '@coord/testkit';
import { describe, expect, it, vi } from 'vitest';
import { connect, type Session, SessionLostError } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';
import type { Command, Held } from './session-process.js';

const { etcd, client } = await oneEtcd();
const closes = closedAfterEach();
const { proxied } = linesTo(etcd, closes);

class Holder {
  readonly child: ChildProcess;
  readonly proxy: TcpProxy;

  constructor(child: ChildProcess, proxy: TcpProxy) {
    this.child = child;
    this.proxy = proxy;
  }

  send(command: Command): void {
    this.child.send(command);
  }

  async answer<T>(): Promise<T> {
    const [message] = await once(this.child, 'message', { signal: AbortSignal.timeout(30_000) });
    return message;
  }

  async report(): Promise<readonly Held[]> {
    this.send('report');
    return await this.answer();
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
  }
}

/** Starts a process with a session of each TTL, behind a proxy of its own. */
async function holder(prefix: string, ttls: readonly number[]): Promise<Holder> {
  const proxy = await proxied();
  const script = fileURLToPath(new URL('session-process.ts', import.meta.url));
  const child = fork(script, [proxy.endpoint, prefix, ...ttls.map(String)], {
    execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
  });
  const started = new Holder(child, proxy);
  closes(started);
  await started.answer();
  return started;
}

/** When each key below the prefix was deleted, as far as it has been. */
async function deletions(prefix: string): Promise<Map<string, bigint>> {
  const watch = client.watch({ prefix });
  await watch.ready;
  closes(watch);
  const deletedAt = new Map<string, bigint>();
  const follow = async () => {
    for await (const { events } of watch) {
      const now = process.hrtime.bigint();
      for (const { type, key } of events) if (type === 'delete') deletedAt.set(key, now);
    }
  };
  follow().catch((error: unknown) => expect.fail(String(error)));
  return deletedAt;
}

describe('nobody believes in a lease that the server may have given away', () => {
  const ttls = [2_000, 2_000, 2_000, 3_000, 3_000, 3_000, 4_000, 4_000];
  const faults: Record<string, (holder: Holder) => void> = {
    'a black hole': ({ proxy }) => proxy.blackhole(),
    'a line on which only the answers are lost': ({ proxy }) => proxy.blackhole('toClient'),
    'a frozen process': ({ child }) => child.kill('SIGSTOP'),
    'a blocked event loop': (held) => held.send({ stallMs: 6_500 }),
  };

  it('32 losses by four faults: each is known before the key is deleted', async () => {
    const deletedAt = await deletions('/honest/');
    const holders = new Map<string, Holder>();
    for (const fault of Object.keys(faults)) holders.set(fault, await holder(`/honest/${fault}/`, ttls));
    for (const [fault, held] of holders) faults[fault]?.(held);
    const losses = ttls.length * holders.size;
    await eventually(() => deletedAt.size === losses, { timeoutMs: 30_000 });
    for (const [fault, held] of holders) {
      held.child.kill('SIGCONT');
      for (const { key, believedAt, lost, fired } of await held.report()) {
        expect([key, lost, fired]).toEqual([key, true, 1]);
        const deleted = deletedAt.get(key) ?? 0n;
        expect(
          Number(deleted - BigInt(believedAt)) / 1e6,
          `${fault}: ms before the deletion`,
        ).toBeGreaterThan(0);
      }
    }
  });

  it('a process that was frozen past its TTL sends no write of that session', async () => {
    const deletedAt = await deletions('/frozen/');
    const held = await holder('/frozen/', [2_000]);
    held.child.kill('SIGSTOP');
    await eventually(() => deletedAt.size === 1, { timeoutMs: 20_000 });
    held.send({ write: '/after-frozen' });
    held.child.kill('SIGCONT');
    expect(await held.answer()).toBe('SessionLostError here');
    expect(await client.kv.get('/after-frozen')).toBeUndefined();
  });

  it('a pause within the TTL costs nothing', async () => {
    const held = await holder('/short-pause/', [4_000]);
    held.child.kill('SIGSTOP');
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 1_500);
    held.child.kill('SIGCONT');
    await eventually(() => performance.now() - startedAt > 6_000, { timeoutMs: 10_000 });
    expect(await held.report()).toMatchObject([{ lost: false }]);
    expect(await client.kv.get('/short-pause/0')).toBeDefined();
  });
});

describe('a line that goes dead without a reset, with a single endpoint', () => {
  it('sessions of 3 and 5 s survive it', async () => {
    const proxy = await proxied();
    const own = closes(await connect({ endpoints: [proxy.endpoint] }));
    const sessions: Session[] = [];
    for (const ttlMs of [3_000, 5_000]) {
      const session = await own.session({ ttlMs });
      await session.keepAlive();
      sessions.push(session);
    }
    proxy.blackholeOpen();
    const startedAt = performance.now();
    await eventually(
      () => {
        for (const { state } of sessions) expect(state).toBe('alive');
        return performance.now() - startedAt > 7_000;
      },
      { timeoutMs: 15_000, intervalMs: 100 },
    );
  });
});

describe('the wall clock', () => {
  it('a forward jump past the TTL is a suspend: the signal fires by itself, once', async () => {
    const session = await client.session({ ttlMs: 30_000 });
    let fired = 0;
    session.signal.addEventListener('abort', () => fired++);
    const clock = vi.spyOn(Date, 'now');
    try {
      clock.mockReturnValue(Date.now() + 30_000);
      await eventually(() => session.signal.aborted);
    } finally {
      clock.mockRestore();
    }
    expect([session.state, fired]).toEqual(['lost', 1]);
    expect(session.signal.reason).toBeInstanceOf(SessionLostError);
  });

  it('a jump forward within the TTL, or back by an hour, loses nothing and adds nothing', async () => {
    const session = await client.session({ ttlMs: 30_000 });
    const clock = vi.spyOn(Date, 'now');
    try {
      const present = Date.now();
      for (const jumpMs of [10_000, -3_600_000]) {
        clock.mockReturnValue(present + jumpMs);
        expect(session.remainingMs).toBeLessThanOrEqual(29_000);
        session.assertAlive();
        await session.keepAlive();
      }
    } finally {
      await session.close();
      clock.mockRestore();
    }
  });
});
