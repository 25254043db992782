import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './eventually.js';
import { startProxy } from './proxy.js';

/** A server that sends back what it gets. */
let echo: Server;
let target: string;
const open = new Set<Socket>();

beforeEach(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const address = echo.address();
  target = `127.0.0.1:${address && typeof address === 'object' ? address.port : 0}`;
});

afterEach(() => {
  for (const socket of open) socket.destroy();
  echo.close();
});

interface Client {
  readonly socket: Socket;
  received: string;
  ended: string | undefined;
}

async function dial(address: string): Promise<Client> {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  open.add(socket);
  const client: Client = { socket, received: '', ended: undefined };
  socket.setEncoding('utf8').on('data', (text: string) => {
    client.received += text;
  });
  socket.on('end', () => {
    client.ended ??= 'end';
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    client.ended = error.code ?? error.message;
  });
  socket.on('close', () => {
    client.ended ??= 'close';
  });
  await once(socket, 'connect');
  return client;
}

describe('startProxy', () => {
  it('passes bytes and the end of a half-open connection', async () => {
    await using proxy = await startProxy({ target });
    const client = await dial(proxy.address);
    client.socket.end('hello');
    await eventually(() => client.ended === 'end');
    expect(client.received).toBe('hello');
    await eventually(() => proxy.connections === 0);
    expect(proxy.accepted).toBe(1);
  });

  it('keeps order and loses nothing under back-pressure', async () => {
    await using proxy = await startProxy({ target });
    const client = await dial(proxy.address);
    const text = Array.from({ length: 300_000 }, (_, i) => i).join(',');
    client.socket.end(text);
    await eventually(() => client.ended === 'end');
    expect(client.received === text).toBe(true);
  });

  it('cuts connections and accepts new ones', async () => {
    await using proxy = await startProxy({ target });
    const client = await dial(proxy.address);
    await eventually(() => proxy.connections === 1);
    proxy.cut();
    await eventually(() => client.ended !== undefined);
    expect(proxy.connections).toBe(0);
    const next = await dial(proxy.address);
    next.socket.write('again');
    await eventually(() => next.received === 'again');
  });

  it('resets connections', async () => {
    await using proxy = await startProxy({ target });
    const client = await dial(proxy.address);
    await eventually(() => proxy.connections === 1);
    proxy.resetConnections();
    await eventually(() => client.ended === 'ECONNRESET');
  });

  it('refuses and accepts on the same port, keeping open connections', async () => {
    await using proxy = await startProxy({ target });
    const client = await dial(proxy.address);
    await proxy.refuse();
    await proxy.refuse();
    await expect(dial(proxy.address)).rejects.toThrow(/ECONNREFUSED/);
    client.socket.write('still here');
    await eventually(() => client.received === 'still here');
    await proxy.accept();
    await proxy.accept();
    await dial(proxy.address);
    await eventually(() => proxy.connections === 2);
  });

  it.each(['both', 'toServer', 'toClient'] as const)(
    'holds everything back in a black hole: %s',
    async (direction) => {
      await using proxy = await startProxy({ target });
      const before = await dial(proxy.address);
      before.socket.write('1');
      await eventually(() => before.received === '1');
      proxy.blackhole(direction);
      const during = await dial(proxy.address);
      before.socket.write('2');
      during.socket.end('3');
      await expect(
        eventually(() => before.received !== '1' || during.received !== '' || during.ended !== undefined, {
          timeoutMs: 150,
        }),
      ).rejects.toThrow(/still false/);
      proxy.heal();
      await eventually(() => before.received === '12' && during.received === '3' && during.ended === 'end');
    },
  );

  it('holds back what goes over the connections that are open now, and lets new ones work', async () => {
    await using proxy = await startProxy({ target });
    const before = await dial(proxy.address);
    before.socket.write('1');
    await eventually(() => before.received === '1');
    proxy.blackholeOpen();
    before.socket.write('2');
    const after = await dial(proxy.address);
    after.socket.write('3');
    await eventually(() => after.received === '3');
    expect(before.received).toBe('1');
    proxy.blackholeOpen('toClient'); // the second time: only what is open now and was not cut off yet
    const last = await dial(proxy.address);
    last.socket.write('4');
    await eventually(() => last.received === '4');
    proxy.heal();
    await eventually(() => before.received === '12');
  });

  it('hides the death of the server in a black hole until it heals', async () => {
    await using proxy = await startProxy({ target: '127.0.0.1:1' });
    proxy.blackhole();
    const client = await dial(proxy.address);
    await expect(eventually(() => client.ended !== undefined, { timeoutMs: 100 })).rejects.toThrow(
      /still false/,
    );
    proxy.heal();
    await eventually(() => client.ended === 'ECONNRESET');
    await eventually(() => proxy.connections === 0);
  });

  it('delays', async () => {
    await using proxy = await startProxy({ target });
    proxy.delay(40);
    const client = await dial(proxy.address);
    const startedAt = performance.now();
    client.socket.write('a');
    client.socket.write('b');
    await eventually(() => client.received === 'ab', { intervalMs: 2 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(78);
    proxy.delay(0);
    client.socket.write('c');
    await eventually(() => client.received === 'abc');
  });

  it('keeps the shape of its target, and refuses one that has none', async () => {
    await using proxy = await startProxy({ target: `https://${target}` });
    expect(proxy.endpoint).toBe(`https://${proxy.address}`);
    await expect(startProxy({ target: 'nowhere' })).rejects.toThrow(/no host and port/);
    await proxy.close();
    await proxy.close();
    await expect(proxy.accept()).rejects.toThrow(/closed/);
  });
});
