import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Used } from './environment-process.js';

let etcd: EtcdServer;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(async () => {
  await etcd?.stop();
});

/** Something that listens where the environment says that a web proxy is, and lets nobody through. */
async function startWebProxy() {
  let asked = 0;
  const server = createServer((_, response) => response.writeHead(404).end());
  server.on('connect', (_, socket) => {
    asked++;
    socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked: () => asked,
    [Symbol.dispose]() {
      server.close();
    },
  };
}

function environmentWith(name: string, url: string): NodeJS.ProcessEnv {
  const isProxy = /proxy$/i;
  const rest = Object.entries(process.env).filter(([key]) => !isProxy.test(key));
  return { ...Object.fromEntries(rest), [name]: url, [name.toUpperCase()]: url, GRPC_VERBOSITY: 'NONE' };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message', { signal: AbortSignal.timeout(40_000) });
  return message;
}

describe('a web proxy in the environment', () => {
  // grpc-js sends calls to it: https://github.com/grpc/grpc-node/blob/master/doc/environment_variables.md
  it.concurrent.each(['http_proxy', 'https_proxy', 'grpc_proxy'])('%s is not asked', async (name) => {
    using proxy = await startWebProxy();
    const script = fileURLToPath(new URL('environment-process.ts', import.meta.url));
    const child = fork(script, [etcd.endpoint, `/environment/${name}`], {
      env: environmentWith(name, proxy.url),
      execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
    });
    try {
      const used = await answer<Used>(child);
      expect(used).toEqual({ read: 'written', seen: 'written', session: 'alive' });
      expect(proxy.asked()).toBe(0);

      // The trap is there: etcd3 as it is goes to the proxy.
      child.send('etcd3');
      expect(await answer<string>(child)).toMatch(/UNAVAILABLE|DEADLINE|deadline/);
      expect(proxy.asked()).toBeGreaterThan(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
