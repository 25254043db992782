import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOpeningSocket } from './opening-socket.js';

let servers: Server[];
const opened: Socket[] = [];

beforeEach(async () => {
  servers = [createServer(), createServer()];
  for (const server of servers) {
    server.listen({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
  }
});
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
  for (const server of servers) server.close();
});

function portOf(index: number): number {
  const address = servers[index]?.address();
  if (typeof address !== 'object' || address === null) throw new Error('it listens');
  return address.port;
}

function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  opened.push(socket);
  return socket;
}

describe('findOpeningSocket', () => {
  it('finds sockets in the order in which they were announced, while they are connecting', async () => {
    const found: [string, Socket, boolean][] = [];
    findOpeningSocket(portOf(0), (socket) => found.push(['a', socket, socket.connecting]));
    findOpeningSocket(portOf(0), (socket) => found.push(['b', socket, socket.connecting]));
    await Promise.resolve();
    const [a, b] = [open(portOf(0)), open(portOf(0))];
    await once(b, 'connect');
    expect(found).toEqual([
      ['a', a, true],
      ['b', b, true],
    ]);
  });

  it('passes by a socket to another port, and one that is opened in another turn', async () => {
    const found: Socket[] = [];
    findOpeningSocket(portOf(0), (socket) => found.push(socket));
    await once(open(portOf(1)), 'connect');
    findOpeningSocket(portOf(0), (socket) => found.push(socket));
    await nextTurn();
    await once(open(portOf(0)), 'connect');
    expect(found).toEqual([]);
  });
});
