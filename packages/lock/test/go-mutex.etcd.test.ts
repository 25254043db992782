import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isSettled, party, queueLength, uniqueName } from './support.js';

/** Where Debian's golang-etcd-server-dev puts the sources of etcd's client. */
const GO_PATH = '/usr/share/gocode';

/** Whether Go and etcd's client for it are on this machine. */
function missing(): string | undefined {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
  } catch {
    return 'no go on the PATH';
  }
  const client = join(GO_PATH, 'src', 'go.etcd.io', 'etcd', 'clientv3');
  return existsSync(client) ? undefined : `no etcd client for Go in ${client}`;
}

const why = missing();
if (why !== undefined) {
  console.warn(
    `Go's concurrency.Mutex is NOT tested against: ${why} (Debian: golang-go golang-etcd-server-dev)`,
  );
}

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

/** What `concurrency.Mutex` writes: `<prefix>/<lease in hex>`, empty, if it is not there yet. */
it('a key as Go writes it stands in one queue with ours', async () => {
  const name = uniqueName();
  const { locks, client } = await party(etcd.connectOptions);
  const first = await locks.acquire(name);
  await using session = await client.session();
  const key = `/locks/${name}/${session.leaseId.toString(16)}`;
  const compare = [{ key, target: 'create', is: '=', to: 0 } as const];
  await client.kv.txn({ compare, success: [{ put: { key, value: '', session } }] });
  await first.release();
  const third = locks.acquire(name);
  await queueLength(client, name, 2);
  expect(await isSettled(third)).toBe(false);
  await client.kv.delete(key);
  await (await third).release();
});

const describeGo = why === undefined ? describe : (_title: string, _tests: () => void) => undefined;

describeGo("Go's concurrency.Mutex on /locks/NAME", () => {
  let folder: string;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'coord-go-'));
    const sources = join(folder, 'src', 'peer');
    mkdirSync(sources, { recursive: true });
    copyFileSync(fileURLToPath(new URL('go-peer/main.go', import.meta.url)), join(sources, 'main.go'));
    const env = { ...process.env, GOPATH: `${folder}:${GO_PATH}`, GO111MODULE: 'off' };
    execFileSync('go', ['build', '-o', join(folder, 'peer-binary'), 'peer'], { env, stdio: 'inherit' });
  }, 300_000);
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function lockByGo(name: string) {
    const child = spawn(join(folder, 'peer-binary'), [etcd.target, `/locks/${name}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const locked = lines.next().then(({ value }) => String(value));
    return {
      locked,
      async unlock() {
        child.stdin.write('\n');
        expect((await lines.next()).value).toBe('unlocked');
        if (child.exitCode === null) await once(child, 'exit');
      },
    };
  }

  it('is waited for, and waits for ours, in one queue', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([party(etcd.connectOptions), party(etcd.connectOptions)]);
    const first = await a.locks.acquire(name);
    const theirs = lockByGo(name);
    await queueLength(a.client, name, 2);
    const third = b.locks.acquire(name);
    await queueLength(a.client, name, 3);
    expect(await isSettled(theirs.locked)).toBe(false);
    await first.release();
    expect(await theirs.locked).toMatch(/^locked /);
    expect(await isSettled(third)).toBe(false);
    await theirs.unlock();
    const lock = await third;
    expect(lock.fencingToken).toBeGreaterThan(first.fencingToken);
    await lock.release();
    await queueLength(a.client, name, 0);
  });

  it('excludes ours, and is excluded, many times over', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    for (let i = 0; i < 5; i++) {
      const theirs = lockByGo(name);
      await theirs.locked;
      const ours = locks.acquire(name);
      await queueLength(client, name, 2);
      await theirs.unlock();
      await (await ours).release();
    }
  });
});
