import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { TestkitError } from './errors.js';

const LOWEST = 10_000;
/** Where ephemeral ports begin if the system does not say. */
const DEFAULT_EPHEMERAL_START = 32_768;
const MAX_TRIES = 100;

/**
 * Finds `count` free TCP ports on 127.0.0.1.
 *
 * They lie below the range from which the system takes the source ports of outgoing connections. A port of that
 * range can be taken while its server is down, by any connection at all, and even by the very client that tries to
 * reconnect (it then talks to itself): a restart on the same port would fail now and then.
 *
 * @internal
 */
export async function freePorts(count: number): Promise<number[]> {
  const highest = Math.max(await ephemeralStart(), LOWEST + 1_000);
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries++) {
      if (tries === MAX_TRIES) {
        throw new TestkitError(
          'COORD_TESTKIT_START_FAILED',
          `no free port between ${LOWEST} and ${highest} on 127.0.0.1`,
          'stop what listens there',
        );
      }
      const server = await tryListen(randomInt(LOWEST, highest));
      if (!server) continue;
      held.push(server);
      const address = server.address();
      if (address && typeof address === 'object') ports.push(address.port);
    }
  } finally {
    await Promise.all(held.map(close));
  }
  return ports;
}

async function ephemeralStart(): Promise<number> {
  try {
    const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    return Number.parseInt(range, 10) || DEFAULT_EPHEMERAL_START;
  } catch {
    return DEFAULT_EPHEMERAL_START;
  }
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
