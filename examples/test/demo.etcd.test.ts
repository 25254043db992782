import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect } from '@coord/client';
import { eventually, startEtcd } from '@coord/testkit';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../demo/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROMISES = 12;
const UNREACHABLE = ['127.0.0.1:1', '127.0.0.1:2'];
const DIAL_TIMEOUT_MS = 3_000;

interface Run {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  output(): string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** The demo over the sources of the packages: as `npm run demo`, but without a build. */
function startDemo(...args: string[]): Run {
  const flags = ['--conditions=@coord/source', '--import', 'tsx'];
  const child = spawn(process.execPath, [...flags, MAIN, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  return { child, output: () => output, ended };
}

/** The processes that the demo says it has started. */
function processesIn(output: string): number[] {
  return [...output.matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** How many of the processes are its own etcd: one in a container is none of this machine's. */
const ownEtcds = (output: string) => (output.includes('in a container') ? 0 : 1);

describe('the demo', () => {
  it('keeps every promise and leaves nothing running', async () => {
    const demo = startDemo();
    const code = await demo.ended;
    const output = demo.output();
    expect(code, output).toBe(0);
    expect(output).toMatch(
      /deregistering a server costs no call +[\d,]+ calls, failures: none, exit code 0 +ok/,
    );
    expect(output).toMatch(/first come, first served +10 of 10 turns in queue order +ok/);
    expect(output).toMatch(/never held twice, no update lost +0 overlaps, counter 10 after 10 updates +ok/);
    expect(output).toMatch(/an invalid change is refused +\d+ reads of it saw only 100, 250, 500 +ok/);
    expect(output).toContain(`All ${PROMISES} promises kept`);
    expect(output).not.toContain('\x1b');
    expect(processesIn(output)).toHaveLength(ownEtcds(output) + 3 + 5);
    expect(processesIn(output).filter(isRunning)).toEqual([]);
  });

  it('plays on an etcd that it is given, and leaves no key there', async () => {
    await using server = await startEtcd();
    const demo = startDemo('--endpoints', server.target);
    const code = await demo.ended;
    expect(code, demo.output()).toBe(0);
    expect(processesIn(demo.output()).filter(isRunning)).toEqual([]);
    await using client = await connect(server.connectOptions);
    expect(await client.kv.range({ prefix: '' })).toMatchObject({ count: 0 });
  });

  it('ends everything on Ctrl-C', async () => {
    const demo = startDemo();
    await eventually(() => demo.output().includes('callers call'), { timeoutMs: 100_000 });
    demo.child.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect(demo.output()).toContain('Interrupted');
    expect(demo.output()).not.toMatch(/^ {4}at /m);
    expect(processesIn(demo.output())).toHaveLength(ownEtcds(demo.output()) + 3);
    await eventually(() => !processesIn(demo.output()).some(isRunning));
  });

  it('ends its processes when it is killed', async () => {
    const demo = startDemo();
    await eventually(() => demo.output().includes('callers call'), { timeoutMs: 100_000 });
    demo.child.kill('SIGKILL');
    expect(await demo.ended).toBe('SIGKILL');
    await eventually(() => !processesIn(demo.output()).some(isRunning), { timeoutMs: 10_000 });
  });

  it('names every endpoint that does not answer, and why', async () => {
    const startedAt = Date.now();
    const demo = startDemo('--endpoints', UNREACHABLE.join(','));
    expect(await demo.ended).toBe(1);
    expect(Date.now() - startedAt).toBeLessThan(DIAL_TIMEOUT_MS + 10_000);
    const output = demo.output();
    expect(output).toContain('ConnectionError');
    for (const endpoint of UNREACHABLE)
      expect(output).toMatch(new RegExp(`http://${endpoint} \\(.*ECONNREFUSED`));
    expect(output).not.toMatch(/^ {4}at /m);
  });
});
