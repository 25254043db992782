import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EtcdStartError, eventually, startCluster } from '../src/index.js';
import { describeBinary } from './binary-only.js';

/** Everything of this test, and of no other, is in here. */
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coord-cluster-'));
  vi.stubEnv('TMPDIR', folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Ids of processes that name the folder on their command line. */
function processes(): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.filter((pid) => commandLine(pid).includes(folder)).map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

function nothingIsLeft(): void {
  expect(processes()).toEqual([]);
  expect(readdirSync(folder).filter((name) => name.startsWith('coord-'))).toEqual([]);
}

const PROGRAM = `
  import { startCluster } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
  const cluster = await startCluster({ proxies: true, tls: true });
  await cluster.members[0].pause();
  await cluster.members[1].kill();
  cluster.isolate(cluster.members[2]);
  console.log('ready');
  if (process.argv.includes('killed')) setInterval(() => undefined, 1_000);
`;

describeBinary(
  'nothing is left',
  () => {
    it('after stop(), whatever the members were doing', async () => {
      const cluster = await startCluster({ proxies: true, tls: true });
      expect(processes()).toHaveLength(3);
      const [a, b] = cluster.members;
      await a?.pause();
      await b?.kill();
      await Promise.all([cluster.stop(), cluster.stop()]);
      nothingIsLeft();
      for (const endpoint of cluster.endpoints) await expect(fetch(endpoint)).rejects.toThrow();
    });

    it('after a start that fails, which tells the log', async () => {
      const failure = startCluster({ proxies: true, args: ['--no-such-flag'] });
      await expect(failure).rejects.toBeInstanceOf(EtcdStartError);
      await expect(failure).rejects.toThrow(/no-such-flag/);
      nothingIsLeft();
    });

    it('after a start of which one member alone fails', async () => {
      const blocked = createServer().listen(0, '127.0.0.1');
      await once(blocked, 'listening');
      const address = blocked.address();
      const port = address && typeof address === 'object' ? address.port : 0;
      blocked.close();
      // The first member gets the port, the others do not.
      const args = [`--listen-metrics-urls=http://127.0.0.1:${port}`];
      // It does not wait for members that can no longer come up.
      const failure = startCluster({ args, startTimeoutMs: 300_000 });
      await expect(failure).rejects.toThrow(/address already in use/);
      nothingIsLeft();
    });

    it('after an aborted start', async () => {
      const reason = new Error('enough');
      const controller = new AbortController();
      const starting = startCluster({ proxies: true, signal: controller.signal });
      const aborted = expect(starting).rejects.toMatchObject({
        code: 'COORD_TESTKIT_ABORTED',
        cause: reason,
      });
      await eventually(() => processes().length > 0, { intervalMs: 2, timeoutMs: 20_000 });
      controller.abort(reason);
      await aborted;
      nothingIsLeft();
    });

    it.each(['killed', 'runs out of work'])('after the end of the test process: %s', async (mode) => {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, mode], {
        cwd: join(import.meta.dirname, '../../..'),
        env: { ...process.env, TMPDIR: folder },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(child, 'exit');
      for await (const line of createInterface(child.stdout)) {
        expect(line).toBe('ready');
        if (mode === 'killed') {
          expect(processes()).toHaveLength(2);
          child.kill('SIGKILL');
        }
      }
      await exit;
      await eventually(nothingIsLeft, { timeoutMs: 20_000 });
    });
  },
  process.platform === 'linux',
);

describeBinary(
  'a port that somebody else has',
  () => {
    it('makes the cluster choose all ports anew', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const address = other.address();
      const port = address && typeof address === 'object' ? address.port : 0;
      const starting = startCluster({ size: 1, args: [`--listen-metrics-urls=http://127.0.0.1:${port}`] });
      const seen = new Set<string>();
      await Promise.race([
        starting, // would be too early
        eventually(
          () => {
            for (const name of readdirSync(folder)) seen.add(name);
            return seen.size > 2; // two are of the first try: the cluster and its member
          },
          { intervalMs: 2, timeoutMs: 30_000 },
        ),
      ]);
      other.close();
      await using cluster = await starting;
      expect((await cluster.leader()).state).toBe('running');
    });
  },
  process.platform === 'linux',
);
