import { connect, createServer, type Socket } from 'node:net';

/** What is done to the bytes that the server sends. */
export type Corruption = 'none' | 'flip' | 'garbage' | 'truncate' | 'reset';

/** A line to a server, on which the server's bytes do not arrive as they were sent. */
export interface CorruptingLine extends AsyncDisposable {
  readonly endpoint: string;
  corruption: Corruption;
  /** How many times something was done. */
  readonly corrupted: number;
}

/** @param random from 0 to 1, as `Math.random` */
export async function corruptingLine(target: string, random: () => number): Promise<CorruptingLine> {
  const [host = '', port = ''] = target.split(':');
  const sockets = new Set<Socket>();
  const line = { corruption: 'none' as Corruption, corrupted: 0 };
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => {
      // One chunk in four: between two of them, connections come to work again.
      if (line.corruption === 'none' || random() > 0.25) return client.write(chunk);
      line.corrupted += 1;
      return deliver(client, chunk, line.corruption, random);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return Object.assign(line, {
    endpoint: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function deliver(
  client: Socket,
  chunk: Buffer,
  how: Exclude<Corruption, 'none'>,
  random: () => number,
): boolean {
  const at = Math.floor(random() * chunk.length);
  switch (how) {
    case 'flip':
      chunk[at] = (chunk[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      return client.write(chunk);
    case 'garbage': {
      const garbage = Buffer.from(Array.from({ length: 1 + at }, () => Math.floor(random() * 256)));
      return client.write(Buffer.concat([chunk.subarray(0, at), garbage, chunk.subarray(at)]));
    }
    case 'truncate':
      client.end(chunk.subarray(0, at));
      return false;
    case 'reset':
      client.write(chunk.subarray(0, at), () => client.resetAndDestroy());
      return false;
  }
}
