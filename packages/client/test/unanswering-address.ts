import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface UnansweringAddress extends AsyncDisposable {
  readonly endpoint: string;
}

/**
 * An address where the first packet of a connection is dropped, as behind a firewall: a listener that
 * is frozen, and whose queue of connections is full.
 */
export async function unansweringAddress(): Promise<UnansweringAddress> {
  const script = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port]: unknown[] = await once(child.stdout, 'data').then((chunks) => chunks.map(Number));
  child.kill('SIGSTOP');
  const sockets: Socket[] = [];
  for (let answered = true; answered; ) {
    const socket = connect({ port: Number(port), host: '127.0.0.1' }).on('error', () => undefined);
    sockets.push(socket);
    answered = await once(socket, 'connect', { signal: AbortSignal.timeout(500) }).then(
      () => true,
      () => false,
    );
  }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}
