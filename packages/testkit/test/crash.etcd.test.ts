import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { eventually, startEtcd } from '../src/index.js';

/** A process of its own that starts etcd, reports, and waits for its end. */
const PROGRAM = `
  import { startEtcd } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
  const backend = process.env.COORD_TEST_BACKEND ?? 'binary';
  const servers = await Promise.all([startEtcd({ backend }), startEtcd({ backend })]);
  if (process.argv.includes('paused')) await servers[0].pause();
  if (process.argv.includes('restarted') && backend === 'binary') { await servers[0].kill(); await servers[0].restart(); }
  console.log(JSON.stringify(servers.map((server) => server.endpoint)));
  if (process.argv.includes('exit')) process.exit(0);
  if (process.argv.includes('idle')) { /* a running server keeps nobody alive */ } else setInterval(() => undefined, 1_000);
`;

interface Found {
  readonly pid: number;
  readonly args: string;
}

/** Processes whose environment or arguments hold the temporary folder of the test, and the children of \`parent\`. */
function processesOf(mark: string): Found[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return args.includes(mark) ? [{ pid: Number(pid), args }] : [];
      } catch {
        return [];
      }
    });
}

async function startChild(...modes: string[]): Promise<{ child: ChildProcess; endpoints: string[] }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, ...modes], {
    cwd: join(import.meta.dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) return { child, endpoints: JSON.parse(line) };
  throw new Error('the child ended without a word');
}

function reapersNow(): Set<number> {
  return new Set(processesOf('coord-testkit-reaper').map(({ pid }) => pid));
}

function foldersNow(): Set<string> {
  return new Set(readdirSync(tmpdir()).filter((name) => name.startsWith('coord-etcd-')));
}

describe.skipIf(process.platform !== 'linux')('a test process that ends without stopping its servers', () => {
  it.each([
    ['killed', ['paused', 'restarted']],
    ['exits', ['exit']],
    ['runs out of work', ['idle']],
  ])('leaves no etcd, no folder and no reaper: %s', async (how, modes) => {
    const before = { reapers: reapersNow(), folders: foldersNow() };
    const { child, endpoints } = await startChild(...modes);
    expect(endpoints).toHaveLength(2);
    const folders = [...foldersNow()].filter((name) => !before.folders.has(name));
    const reapers = [...reapersNow()].filter((pid) => !before.reapers.has(pid));
    if (how === 'killed') {
      expect(folders.length).toBeGreaterThanOrEqual(2);
      expect(reapers.length).toBeGreaterThanOrEqual(1);
      child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await eventually(
      async () => {
        for (const endpoint of endpoints) await expect(fetch(`${endpoint}/version`)).rejects.toThrow();
        for (const folder of folders) {
          expect(processesOf(folder)).toEqual([]);
          expect(existsSync(join(tmpdir(), folder))).toBe(false);
        }
        const left = reapersNow();
        expect(reapers.filter((pid) => left.has(pid))).toEqual([]);
      },
      { timeoutMs: 20_000 },
    );
  });

  it('starts another reaper if somebody kills it, and ends it with the last server', async () => {
    const before = reapersNow();
    const own = () => [...reapersNow()].filter((pid) => !before.has(pid));
    const server = await startEtcd();
    const [first] = own();
    if (first === undefined) throw new Error('no reaper');
    process.kill(first, 'SIGKILL');
    await eventually(() => own().some((pid) => pid !== first));
    await server.stop();
    await eventually(() => own().length === 0);
  });
});
