import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerSocksRequest, readSocksRequest, SOCKS_REPLY } from './socks.js';

const GREETING = [5, 1, 0];
const TO_ADDRESS = [5, 1, 0, 1, 192, 0, 2, 7, 0x09, 0x4c];
const TO_NAME = [5, 1, 0, 3, 4, ...Buffer.from('etcd'), 0x09, 0x4c];

let server: Server;
let client: Socket;
let accepted: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  client = connect({ port: address && typeof address === 'object' ? address.port : 0, noDelay: true });
  const [socket] = await once(server, 'connection');
  if (!(socket instanceof Socket)) throw new Error('no connection');
  accepted = socket;
});

afterEach(() => {
  for (const socket of [client, accepted]) socket.destroy();
  server.close();
});

const text = (socket: Socket, bytes: number) =>
  new Promise<string>((resolve) => {
    let received = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk;
      if (received.length >= bytes) resolve(received);
    });
    socket.resume();
  });

describe('a SOCKS 5 client', () => {
  it.each([
    ['an address', TO_ADDRESS, '192.0.2.7'],
    ['a name', TO_NAME, 'etcd'],
  ])('tells where it wants to go by %s, also byte by byte', async (_title, request, host) => {
    const reading = readSocksRequest(accepted);
    for (const byte of [...GREETING, ...request]) {
      client.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect(await reading).toEqual({ host, port: 2380 });
  });

  it('loses nothing of what it sends right behind the request', async () => {
    client.write(Buffer.from([...GREETING, ...TO_ADDRESS, ...Buffer.from('GET /')]));
    await readSocksRequest(accepted);
    answerSocksRequest(accepted, SOCKS_REPLY.succeeded);
    expect(await text(accepted, 5)).toBe('GET /');
    expect(Buffer.from(await text(client, 12), 'latin1')).toEqual(
      Buffer.of(5, 0, 5, SOCKS_REPLY.succeeded, 0, 1, 0, 0, 0, 0, 0, 0),
    );
  });

  it.each([
    ['speaks SOCKS 4', [4, 1, 0, 80, 127, 0, 0, 1, 0]],
    ['asks for more than a connection', [...GREETING, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80]],
    ['has an IPv6 address', [...GREETING, 5, 1, 0, 4, ...Array.from({ length: 18 }, () => 0)]],
  ])('is turned away if it %s', async (_title, bytes) => {
    client.write(Buffer.from(bytes));
    expect(await readSocksRequest(accepted)).toBeUndefined();
  });

  it('may end in the middle', async () => {
    client.end(Buffer.from([...GREETING, 5, 1]));
    await expect(readSocksRequest(accepted)).rejects.toThrow(/ended/);
  });
});
