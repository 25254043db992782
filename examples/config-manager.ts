/**
 * Config manager: the configuration of a running service, always valid, updated without a restart.
 *
 *   npm run example -- config-manager
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { createConfigManager } from '@coord/config-manager';
import { findEtcd } from './support/etcd.js';

await using etcd = await findEtcd();
await using client = await connect({ endpoints: etcd.endpoints });
await using config = createConfigCenter(client);

// A service of its own for each run, so that the example can be run twice at once.
const service = `orders-${process.pid}`;
const key = `prod/${service}/http`;

let server: Server | undefined;
let next: Server | undefined;

await using manager = createConfigManager({
  config,
  env: 'prod',
  service,
  component: 'http',
  // What holds where etcd says nothing: the service starts with it even if etcd is away.
  defaults: { greeting: 'hello', maxConnections: 100 },
  // A value that does not pass is refused as a whole; the service goes on with the one it has.
  validate: ({ maxConnections }) => (maxConnections < 1 ? 'maxConnections must be at least 1' : undefined),
  onUpdate: {
    // Before the switch: build the new. If this throws, the old stays in use.
    async prepare({ greeting }) {
      next = createServer((_request, response) => response.end(greeting)).listen(0, '127.0.0.1');
      await once(next, 'listening');
    },
    // After the switch: use the new, let go of the old.
    commit() {
      server?.close();
      server = next;
    },
  },
});

async function greet(): Promise<string> {
  if (server === undefined) return '(no server yet)';
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } });
  return response.text();
}

// --- 1. A partial value is laid over the defaults ---------------------------------------------------------

console.log('Before the start:', manager.current);
await config.set(key, { greeting: 'good morning' });
await manager.start();
console.log(`Version ${manager.status.version} from etcd:`, manager.current);
console.log('The server says:', await greet());

// --- 2. An update, while the service runs -----------------------------------------------------------------

const updated = new Promise<void>((resolve) => manager.subscribe(() => resolve()));
await config.set(key, { greeting: 'good evening', maxConnections: 500 });
await updated;
console.log(`\nVersion ${manager.status.version}, without a restart:`, manager.current);
console.log('The server says:', await greet());

// --- 3. A bad value is refused ----------------------------------------------------------------------------

const events = manager.events();
await config.set(key, { greeting: 'good night', maxConnections: 0 });
for await (const event of events) {
  if (event.type !== 'rejected') continue;
  console.log(
    `\nVersion ${event.version} is refused:`,
    event.issues.map(({ message }) => message).join('; '),
  );
  break;
}
console.log(`Still version ${manager.status.version}, and the server says:`, await greet());

server?.close();
await config.delete(key);
