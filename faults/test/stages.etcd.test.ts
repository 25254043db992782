import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, type ClusterMember, eventually, startCluster, startEtcd } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { EtcdLog } from '../src/run/etcd-log.js';
import { FaultLog } from '../src/run/fault-log.js';
import { PlannedFaults } from '../src/run/planned-faults.js';
import { CLOCK, findLibrary, WorkerClock } from '../src/stage/clock-stage.js';
import { run } from '../src/stage/command.js';
import { DISK, hasEnded } from '../src/stage/disk-stage.js';
import { FULL_DISK } from '../src/stage/full-disk-stage.js';
import { startProxied } from '../src/stage/proxied-stage.js';
import { SmallDisk } from '../src/stage/small-disk.js';
import type { StageKind } from '../src/stage/stage.js';
import { injectInto } from '../src/stage/strace.js';

const SOAK = fileURLToPath(new URL('../soak.ts', import.meta.url));
const STAGES = fileURLToPath(new URL('../src/stage/stages.ts', import.meta.url));
const SOURCES = ['--conditions=@coord/source', '--import', 'tsx'];
const SLOW_MS = 300;

/** `it` for what a stage takes; where it is not to be had, its reason is said. */
async function itOn(stage: StageKind) {
  const reason = await stage.missing();
  if (reason === undefined) return it;
  console.warn(`NOT RUN: the stage "${stage.name}", because ${reason}`);
  return (_title: string, _test: () => Promise<void>) => undefined;
}
const [itTraces, itMounts, itShiftsClocks] = [await itOn(DISK), await itOn(FULL_DISK), await itOn(CLOCK)];

function first({ members: [member] }: Cluster): ClusterMember {
  if (member === undefined) throw new Error('there is one');
  return member;
}

describe('disks', () => {
  itTraces('are slow and fail for as long as they are traced', async () => {
    await using etcd = await startEtcd({ durable: true, heartbeatMs: 50, electionMs: 500 });
    {
      await using _slow = await injectInto(etcd, `delay_enter=${SLOW_MS * 1_000}`);
      const startedAt = performance.now();
      await etcd.etcdctl(['put', 'k', 'slow']);
      expect(performance.now() - startedAt).toBeGreaterThan(SLOW_MS);
    }
    {
      await using _failing = await injectInto(etcd, 'error=EIO');
      await expect(etcd.etcdctl(['--command-timeout=2s', 'put', 'k', 'lost'])).rejects.toThrow();
      await hasEnded(etcd);
    }
    await etcd.restart();
    await etcd.etcdctl(['put', 'k', 'sound']);
  });

  itMounts('are full, and empty again: the member ends itself, and comes back with its data', async () => {
    await using disk = await SmallDisk.open();
    await using cluster = await startCluster({
      size: 1,
      hosts: [disk.host],
      heartbeatMs: 50,
      electionMs: 500,
    });
    const member = first(cluster);
    await member.etcdctl(['put', 'k', 'v']);
    const empty = await disk.fill(member);
    const value = 'x'.repeat(64 * 1024);
    const writes = Array.from({ length: 64 }, (_, i) => String(i));
    for (const key of writes) {
      if (member.state !== 'running') break;
      await member.etcdctl(['--command-timeout=2s', 'put', key, value]).catch(() => undefined);
    }
    await hasEnded(member);
    await empty();
    await member.restart();
    expect(await member.etcdctl(['get', 'k', '--print-value-only'])).toBe('v\n');
    await member.etcdctl(['put', 'k', 'w']);
  });
});

describe('clocks', () => {
  itShiftsClocks('of workers jump, and what measures durations does not', async () => {
    await using clock = new WorkerClock(findLibrary() ?? '');
    const read = async () => {
      const before = process.hrtime.bigint();
      const node = [process.execPath, '-p', `Date.now() + ',' + process.hrtime.bigint()`];
      const [wall = '', monotonic = ''] = (await run(node, clock.launch.environment)).trim().split(',');
      const within = BigInt(monotonic) > before && BigInt(monotonic) < process.hrtime.bigint();
      return { hours: Math.round((Number(wall) - Date.now()) / 3_600_000) + 0, within };
    };
    expect(await read()).toEqual({ hours: 0, within: true });
    clock.set(3_600);
    expect(await read()).toEqual({ hours: 1, within: true });
    clock.set(-3_600);
    expect(await read()).toEqual({ hours: -1, within: true });
  });
});

describe('a plan', () => {
  it('counts no fault that could not be done, has members run again, and tells what has not been done', async () => {
    await using stage = await startProxied({
      cluster: { size: 1 },
      faults: {
        half: async ({ member }) => {
          await member.kill();
          throw new Error('and no further');
        },
        whole: async () => undefined,
      },
    });
    const folder = mkdtempSync(join(tmpdir(), 'coord-stages-'));
    const log = await EtcdLog.start(stage.cluster, join(folder, 'etcd.jsonl'), () => false);
    const faultLog = new FaultLog(join(folder, 'faults.jsonl'));
    const planned = new PlannedFaults({ seed: 1, kinds: [], stage, log, faultLog });
    await eventually(() => (faultLog.counts.whole ?? 0) >= 3, { timeoutMs: 60_000 });
    await planned.end();
    expect(planned.missing).toEqual(['half']);
    expect(first(stage.cluster).state).toBe('running');
    await log.stop();
  });
});

describe('a soak', () => {
  it('that is interrupted tells what it has so far', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coord-soak-'));
    const args = ['--only', 'register', '--stages', 'lines', '--folder', folder, '--seconds', '300'];
    const soak = spawn(process.execPath, [...SOURCES, SOAK, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    soak.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(soak, 'exit');
    await eventually(() => said.includes('everything is kept'), { timeoutMs: 30_000 });
    soak.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(said).toMatch(/SIGINT: the run that was going on does not count/);
    expect(said).toMatch(/workload +seconds +operations/);
  });

  it('of a plain user says which stages are not to be had, and why', async () => {
    const script = `const { stagesHere } = await import(${JSON.stringify(STAGES)});
      console.log(JSON.stringify(await stagesHere(['lines', 'network', 'full disk'])));`;
    // To nobody; who is that already, or anybody else but root, stays who he is.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const args = [...SOURCES, '--input-type=module', '-e', script];
    const env = { ...process.env, TSX_DISABLE_CACHE: '1', TMPDIR: tmpdir() };
    const child = spawn(process.execPath, args, { ...user, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await once(child, 'close');
    const { stages, skipped } = JSON.parse(said);
    expect(stages).toEqual(['lines']);
    expect(skipped).toMatchObject([{ stage: 'network' }, { stage: 'full disk' }]);
    if (process.platform !== 'linux') return;
    for (const { reason } of skipped)
      expect(reason).toMatch(/it takes root|is not there|ENOENT|not permitted/);
  });
});
