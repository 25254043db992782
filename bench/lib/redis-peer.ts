import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export const REDLOCK = 'redlock';

/** The part of redlock that is used. Its package names types that its `exports` do not let through. */
interface Redlock {
  acquire(names: string[], ttlMs: number): Promise<{ release(): Promise<unknown> }>;
}
const { default: RedlockClass }: { default: new (redises: Redis[]) => Redlock } = createRequire(
  import.meta.url,
)('redlock');

export interface RedisPeer extends AsyncDisposable {
  /** One acquire and release, at redlock's defaults. */
  cycle(name: string): Promise<void>;
}

/**
 * redlock on one Redis of its own that flushes every write to the disk, as etcd does; undefined
 * without a `redis-server` on the PATH.
 */
export async function startRedisPeer(): Promise<RedisPeer | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'coord-bench-redis-'));
  const port = await freePort();
  const where = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder];
  const server = spawn(
    'redis-server',
    [...where, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
    {
      stdio: 'ignore',
    },
  );
  const redis = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50 });
  redis.on('error', () => undefined); // while it starts; a call that fails says so itself
  await redis.ping();
  const redlock = new RedlockClass([redis]);
  return {
    async cycle(name) {
      const lock = await redlock.acquire([name], 30_000);
      await lock.release();
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await end(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill();
  await once(server, 'exit');
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
