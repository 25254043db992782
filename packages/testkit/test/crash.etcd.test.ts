import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { eventually, startEtcd } from '../src/index.js';

/** A process of its own that starts two servers, reports where they are, and ends in some way. */
const PROGRAM = `
  import { dirname } from 'node:path';
  import { startEtcd } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
  const servers = await Promise.all([startEtcd({ tls: true }), startEtcd({ tls: true })]);
  if (process.argv.includes('killed')) {
    await servers[0].pause();
    await servers[1].kill();
    await servers[1].restart();
  }
  console.log(JSON.stringify(servers.map((s) => ({ target: s.target, folder: dirname(dirname(s.tls.caFile)) }))));
  if (process.argv.includes('exits')) process.exit(0);
  if (process.argv.includes('killed')) setInterval(() => undefined, 1_000);
`;

interface Left {
  readonly target: string;
  readonly folder: string;
}

async function startChild(mode: string): Promise<{ child: ChildProcess; servers: Left[] }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, mode], {
    cwd: join(import.meta.dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) return { child, servers: JSON.parse(line) };
  throw new Error('the child ended without a word');
}

/** Process ids by a part of their command line. */
function processesWith(mark: string): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.filter((pid) => read(`/proc/${pid}/cmdline`).includes(mark)).map(Number);
}

function reapersOf(parent: number): number[] {
  return processesWith('coord-testkit-reaper').filter(
    (pid) => Number(read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ')[1]) === parent,
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

async function refuses(target: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${target}`);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe.skipIf(process.platform !== 'linux')('a test process that ends without stopping its servers', () => {
  it.each(['killed', 'exits', 'runs out of work'])(
    'leaves no etcd, no folder and no reaper: %s',
    async (mode) => {
      const { child, servers } = await startChild(mode);
      expect(servers).toHaveLength(2);
      let reapers: number[] = [];
      if (mode === 'killed') {
        reapers = reapersOf(child.pid ?? 0);
        expect(reapers).toHaveLength(1);
        for (const { folder } of servers) expect(existsSync(folder)).toBe(true);
        child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await eventually(
        async () => {
          for (const { target, folder } of servers) {
            expect(await refuses(target)).toBe(true);
            expect(processesWith(folder)).toEqual([]);
            expect(existsSync(folder)).toBe(false);
          }
          for (const pid of reapers) expect(read(`/proc/${pid}/cmdline`)).toBe('');
        },
        { timeoutMs: 20_000 },
      );
    },
  );

  it('starts another reaper if somebody kills it, and ends it with the last server', async () => {
    const server = await startEtcd();
    const [first = 0] = reapersOf(process.pid);
    expect(first).toBeGreaterThan(0);
    process.kill(first, 'SIGKILL');
    await eventually(() => reapersOf(process.pid).some((pid) => pid !== first));
    await server.stop();
    await eventually(() => reapersOf(process.pid).length === 0);
  });
});
