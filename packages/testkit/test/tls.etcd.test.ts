import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { describe, expect, it } from 'vitest';
import { type EtcdServer, startEtcd } from '../src/index.js';

interface Trust {
  readonly ca?: Buffer | undefined;
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  readonly host?: string;
}

function get(server: EtcdServer, trust: Trust): Promise<number> {
  const { port } = new URL(server.endpoint);
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/health', agent: false, ...trust }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

function trustOf(server: EtcdServer) {
  const { caFile, certFile, keyFile } = server.tls ?? { caFile: '', certFile: '', keyFile: '' };
  return { ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

describe.each(['3.4', '3.5'])('etcd %s over TLS', (version) => {
  it('is trusted only with its own CA', async () => {
    await using server = await startEtcd({ version, tls: true });
    await using other = await startEtcd({ version, tls: true });
    expect(server.endpoint).toMatch(/^https:/);
    const { ca } = trustOf(server);
    expect(await get(server, { ca })).toBe(200);
    expect(await get(server, { ca, host: 'localhost' })).toBe(200);
    await expect(get(server, {})).rejects.toThrow(/self-signed|unable to/);
    await expect(get(server, { ca: trustOf(other).ca })).rejects.toThrow();
    expect(server.connectOptions.tls).toEqual(server.tls);
  });

  it('asks for a client certificate', async () => {
    await using server = await startEtcd({ version, tls: { clientCertAuth: true }, auth: true });
    const { ca, cert, key } = trustOf(server);
    expect(await get(server, { ca, cert, key })).toBe(200);
    await expect(get(server, { ca })).rejects.toThrow();
    expect(await server.etcdctl(['put', 'a', 'b'])).toBe('OK\n');
    await server.kill();
    await server.restart();
    expect(await server.etcdctl(['get', 'a', '--print-value-only'])).toBe('b\n');
  });
});
