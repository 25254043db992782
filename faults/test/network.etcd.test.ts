import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { eventually } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Network, type Station } from '../src/stage/network.js';
import { NETWORK } from '../src/stage/network-stage.js';

const NETWORK_FILE = fileURLToPath(new URL('../src/stage/network.ts', import.meta.url));
const SOURCES = ['--conditions=@coord/source', '--import', 'tsx'];
const PORT = 7_000;
const SIZE = 64 * 1024;
const KILOBITS = 1_000;
const SERVER = `require('node:net').createServer((socket) => socket.on('error', () => {}).write('x'.repeat(${SIZE}) + '\\n'))
  .listen(${PORT}, () => console.log('listening'))`;

const reason = await NETWORK.missing();
if (reason !== undefined) console.warn(`NOT RUN: network namespaces, because ${reason}`);
const describeNetwork = (title: string, tests: () => void) => {
  if (reason === undefined) describe(title, tests);
  else
    describe(title, () =>
      it('says why it is not to be had', () => expect(reason).toMatch(/takes|cannot|apt-get/)),
    );
};

describeNetwork('a network of namespaces', () => {
  let network: Network;
  let server: ChildProcess;
  let [here, there]: Station[] = [];

  beforeAll(async () => {
    network = await Network.open(['here', 'there']);
    [here, there] = [network.station('here'), network.station('there')];
    const [file = '', ...args] = [...there.namespace.enter, process.execPath, '-e', SERVER];
    server = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    if (server.stdout) await once(server.stdout, 'data');
  });
  afterAll(async () => {
    server?.kill('SIGKILL');
    await network?.[Symbol.asyncDispose]();
  });

  function stations(): [Station, Station] {
    if (here === undefined || there === undefined) throw new Error('there are two');
    return [here, there];
  }

  /** What comes of asking the server for a line. */
  async function ask(): Promise<'answer' | 'refused' | 'silence'> {
    const [from, to] = stations();
    const line = `exec 3<>/dev/tcp/${to.address}/${PORT} && read -r line <&3 && test \${#line} = ${SIZE}`;
    return from.namespace.run('timeout', '1', 'bash', '-c', line).then(
      () => 'answer',
      (error: unknown) => (/refused|reset/i.test(String(error)) ? 'refused' : 'silence'),
    );
  }

  async function expectWhile(begun: Promise<() => Promise<void>>, what: string): Promise<void> {
    const end = await begun;
    expect(await ask()).toBe(what);
    await end();
    await eventually(async () => (await ask()) === 'answer', { timeoutMs: 30_000 });
  }

  it('cuts, drops, refuses and loses, and is mended after each', async () => {
    const [from, to] = stations();
    expect(await ask()).toBe('answer');
    await expectWhile(network.cut(to), 'silence');
    await expectWhile(network.drop(to, from), 'silence');
    await expectWhile(network.drop(from), 'silence');
    await expectWhile(network.reject(to, from), 'refused');
    await expectWhile(network.lose(to, 1), 'silence');
    const end = await network.drop(to, { ...from, address: '10.77.0.99' }); // of another one
    expect(await ask()).toBe('answer');
    await end();
  });

  it('is slow', async () => {
    const [, to] = stations();
    const end = await network.slow(to, KILOBITS);
    const [from] = stations();
    const startedAt = performance.now();
    const all = `exec 3<>/dev/tcp/${to.address}/${PORT} && read -r line <&3`;
    await from.namespace.run('bash', '-c', all);
    expect(performance.now() - startedAt).toBeGreaterThan((SIZE * 8) / KILOBITS / 2);
    await end();
  });

  it('ends connections at both ends, and counts those that are opened', async () => {
    const [from, to] = stations();
    const before = network.opened(from);
    const [file = '', ...args] = [
      ...from.namespace.enter,
      'bash',
      '-c',
      `cat </dev/tcp/${to.address}/${PORT}`,
    ];
    const reader = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(reader.stdout, 'data');
    reader.stdout.resume();
    expect(network.opened(from)).toBe(before + 1);
    const ended = once(reader, 'exit');
    await network.killSockets(from, to);
    await ended;
    expect(reader.exitCode).not.toBe(0);
    expect(await ask()).toBe('answer');
  });

  it('leaves nothing behind when its process is killed', async () => {
    const script = `const { Network } = await import(${JSON.stringify(NETWORK_FILE)});
      await Network.open(['a']); console.log('open'); setInterval(() => {}, 1_000);`;
    const args = [...SOURCES, '--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const own = () => Object.keys(networkInterfaces()).filter((name) => name.startsWith(`c${child.pid}n`));
    expect(own()).toHaveLength(1);
    child.kill('SIGKILL');
    await eventually(() => own().length === 0, { timeoutMs: 30_000 });
  });
});
