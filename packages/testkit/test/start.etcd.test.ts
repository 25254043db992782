import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, startEtcd, TestkitError } from '../src/index.js';

const VERSIONS = ['3.4', '3.5'] as const;

describe.each(VERSIONS)('etcd %s', (version) => {
  it('is ready when it answers, and gone after its scope', async () => {
    let pid = 0;
    let endpoint = '';
    {
      await using server = await startEtcd({ version });
      pid = server.pid ?? 0;
      endpoint = server.endpoint;
      const answer = await fetch(`${endpoint}/version`);
      expect(await answer.json()).toMatchObject({ etcdserver: server.version });
      expect(server.version).toMatch(new RegExp(`^${version.replace('.', '\\.')}\\.`));
    }
    if (pid) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    await expect(fetch(`${endpoint}/version`)).rejects.toThrow();
  });

  it('keeps its data and its port over restart and kill', async () => {
    await using server = await startEtcd({ version });
    const { endpoint } = server;
    await server.etcdctl(['put', 'a', '1']);
    await server.restart();
    expect(await server.etcdctl(['get', 'a', '--print-value-only'])).toBe('1\n');
    await server.etcdctl(['put', 'a', '2']);
    await server.kill();
    await server.kill();
    expect(server.state).toBe('down');
    await server.restart();
    expect(server.endpoint).toBe(endpoint);
    expect(await server.etcdctl(['get', 'a', '--print-value-only'])).toBe('2\n');
  });

  it('grants the short leases of a fast election, as the README says', async () => {
    const fast = ['--heartbeat-interval=10', '--election-timeout=100'];
    await using quick = await startEtcd({ version, args: fast });
    await using usual = await startEtcd({ version });
    expect(await quick.etcdctl(['lease', 'grant', '1'])).toContain('TTL(1s)');
    expect(await usual.etcdctl(['lease', 'grant', '1'])).toContain('TTL(2s)');
  });

  it('is silent while paused and answers after resume', async () => {
    await using server = await startEtcd({ version });
    await server.pause();
    await server.pause();
    expect(server.state).toBe('paused');
    const silent = new AbortController();
    const answer = fetch(`${server.endpoint}/health`, { signal: silent.signal });
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence');
    await server.resume();
    await server.resume();
    expect((await answer).status).toBe(200);
  });

  it('stops while paused', async () => {
    const server = await startEtcd({ version });
    await server.pause();
    await Promise.all([server.stop(), server.stop()]);
    expect(server.state).toBe('stopped');
    await expect(server.restart()).rejects.toThrow(
      expect.objectContaining({ code: 'COORD_TESTKIT_INVALID_STATE' }),
    );
  });

  it('refuses clients without the password', async () => {
    await using server = await startEtcd({ version, auth: { username: 'coord', password: 'secret' } });
    expect(server.connectOptions).toMatchObject({ username: 'coord', password: 'secret' });
    const range = (token: string) =>
      fetch(`${server.endpoint}/v3/kv/range`, {
        method: 'POST',
        headers: { authorization: token },
        body: JSON.stringify({ key: 'YQ==' }),
      });
    expect((await range('')).status).not.toBe(200);
    const login = (password: string) =>
      fetch(`${server.endpoint}/v3/auth/authenticate`, {
        method: 'POST',
        body: JSON.stringify({ name: 'coord', password }),
      });
    expect((await login('wrong')).status).not.toBe(200);
    const answer: unknown = await (await login('secret')).json();
    const token = answer && typeof answer === 'object' && 'token' in answer ? String(answer.token) : '';
    expect((await range(token)).status).toBe(200);
    expect(await server.etcdctl(['put', 'a', 'b'])).toBe('OK\n');
    await server.restart();
    expect((await range('')).status).not.toBe(200);
  });

  it('runs beside another one', async () => {
    await using a = await startEtcd({ version });
    await using b = await startEtcd({ version });
    expect(a.endpoint).not.toBe(b.endpoint);
    await a.etcdctl(['put', 'k', 'a']);
    expect(await b.etcdctl(['get', 'k'])).toBe('');
  });
});

it('notices that etcd ended by itself', async () => {
  await using server = await startEtcd({ backend: 'binary' });
  process.kill(server.pid ?? 0, 'SIGKILL');
  await eventually(() => server.state === 'down');
  await server.restart();
  expect(server.state).toBe('running');
});

it('can be aborted before and during the start', async () => {
  const reason = new Error('enough');
  const aborted = expect.objectContaining({ code: 'COORD_TESTKIT_ABORTED', cause: reason });
  await expect(startEtcd({ signal: AbortSignal.abort(reason) })).rejects.toThrow(aborted);
  const controller = new AbortController();
  const starting = startEtcd({ signal: controller.signal });
  setTimeout(() => controller.abort(reason), 60);
  await expect(starting).rejects.toThrow(aborted);
});

it('tells the log of an etcd that does not start', async () => {
  const failure = startEtcd({ backend: 'binary', args: ['--no-such-flag'] });
  await expect(failure).rejects.toThrow(/no-such-flag/);
  await expect(failure).rejects.toSatisfy(TestkitError.is);
});
