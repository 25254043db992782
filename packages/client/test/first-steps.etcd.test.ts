import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { startEtcd } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import {
  AuthError,
  type ClientOptions,
  ConnectionError,
  connect,
  createClient,
  ValidationError,
} from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { failure } from './failure.js';
import { oneEtcd } from './one-etcd.js';

const { etcd } = await oneEtcd();
const closes = closedAfterEach();

/** Something that is no etcd; resolves to its address. */
async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closes({ close: async () => void server.close() });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address at which nothing listens any more. */
async function nobodysAddress(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

describe('whoever goes wrong at first is told what to do', () => {
  const mistakes: [string, () => Promise<string>, RegExp, dialTimeoutMs?: number][] = [
    [
      'no etcd runs there',
      nobodysAddress,
      /ECONNREFUSED .*; nothing listens there: is etcd running, and is this its client port\?/,
    ],
    ['no such host', async () => 'etcd.invalid:2379', /nobody knows this host: is its name right\?/],
    [
      'a web server listens there',
      () => listening(createHttpServer((_, response) => void response.end('hello'))),
      /is this an etcd 3 endpoint\?/,
    ],
    [
      'something that hangs up listens there',
      () => listening(createServer((socket) => void socket.destroy())),
      /does it want https:\/\/\?/,
    ],
    [
      'something that keeps silent listens there',
      () => listening(createServer()),
      /no connection has come about: are host and port right, and does a firewall let it through\?/,
      1_000,
    ],
  ];

  it.each(mistakes)('%s', async (_, address, expected, dialTimeoutMs = 20_000) => {
    const endpoint = await address();
    const error = await failure(connect({ endpoints: [endpoint], dialTimeoutMs }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      message: expect.stringMatching(expected),
      endpoints: [{ endpoint: `http://${endpoint}`, reason: expect.stringMatching(expected) }],
    });
  });

  it('a call of a client that connects at first use', async () => {
    const retry = { maxAttempts: 1 };
    const client = createClient({ endpoints: [await nobodysAddress()], retry });
    closes(client);
    expect(await failure(client.kv.put('a', 'b'))).toMatchObject({
      name: 'ConnectionError',
      outcome: 'not-applied',
      message: expect.stringMatching(/nothing listens there: is etcd running/),
    });
  });

  it('a wrong password, a wrong user, and none', async () => {
    await using guarded = await startEtcd({ auth: true });
    const { endpoints } = guarded;
    const wrong: [Partial<ClientOptions>, RegExp][] = [
      [{ username: 'root', password: 'wrong' }, /check username and password/],
      [{ username: 'nobody', password: 'root' }, /check username and password/],
      [{}, /etcd requires a user: give username and password/],
    ];
    for (const [credentials, expected] of wrong) {
      const error = await failure(connect({ endpoints, ...credentials }));
      expect(error).toBeInstanceOf(AuthError);
      expect(String(error)).toMatch(expected);
      expect(String(error)).toContain(guarded.target);
    }
  });

  it.each([
    [
      'an endpoint without a port',
      { endpoints: ['127.0.0.1'] },
      /endpoints\[0\]: must be "host:port".* got "127\.0\.0\.1"/,
    ],
    ['the name of another library', { hosts: '127.0.0.1:2379' }, /hosts: is no option; there are endpoints,/],
    [
      'a text in the place of an array',
      { endpoints: '127.0.0.1:2379' },
      /endpoints: must be a non-empty array of "host:port", got "127\.0\.0\.1:2379"/,
    ],
    [
      'an IPv6 address without brackets',
      { endpoints: ['::1:2379'] },
      /endpoints\[0\]: .*an IPv6 address in brackets, got "::1:2379"/,
    ],
    [
      'another scheme',
      { endpoints: ['etcd://127.0.0.1:2379'] },
      /endpoints\[0\]: must be "host:port", "http:/,
    ],
    [
      'seconds in words',
      { requestTimeoutMs: '5s' },
      /requestTimeoutMs: must be a positive number of milliseconds, got "5s"/,
    ],
  ])('%s', async (_, options, expected) => {
    // @ts-expect-error: what plain JavaScript lets pass
    const error = await failure(connect({ ...etcd.connectOptions, ...options }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error)).toMatch(expected);
  });
});
