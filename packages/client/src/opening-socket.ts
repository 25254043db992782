import { channel } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

interface Awaited {
  readonly port: number;
  readonly found: (socket: Socket) => void;
}

/** https://nodejs.org/docs/latest-v20.x/api/diagnostics_channel.html#net */
const clientSockets = channel('net.client.socket');
/** Sockets come in the order in which they were announced. */
const awaited: Awaited[] = [];

/**
 * Finds the socket that grpc-js is about to open, in this turn of the event loop, to a port. grpc-js
 * itself shows a socket only when it is connected, which an address that drops packets may put off for
 * two minutes.
 *
 * It may be mistaken for that of somebody else who connects to the same port in the same turn: do
 * nothing to it that a connection attempt does not have to bear.
 */
export function findOpeningSocket(port: number, found: (socket: Socket) => void): void {
  const own = { port, found };
  if (awaited.push(own) === 1) clientSockets.subscribe(onSocket);
  setImmediate(() => {
    const index = awaited.indexOf(own);
    if (index >= 0) awaited.splice(index, 1);
    if (awaited.length === 0) clientSockets.unsubscribe(onSocket);
  });
}

function onSocket(message: unknown): void {
  const socket = typeof message === 'object' && message && 'socket' in message ? message.socket : undefined;
  const next = awaited[0];
  if (next === undefined || !(socket instanceof Socket)) return;
  awaited.shift();
  socket.once('connectionAttempt', (_address: string, port: number) => {
    if (port === next.port) next.found(socket);
  });
}
