/** A server in a process of its own: registered until SIGTERM drains it. */
import { connect } from '@coord/client';
import { createRegistry, drainOnSignal } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { startWho } from './who-service.js';

const [endpoint = '', service = '', name = ''] = process.argv.slice(2);
const server = new grpc.Server();
const { port } = await startWho(name, 0, server);
const client = await connect({ endpoints: [endpoint], logLevel: 'error' });
const registry = createRegistry(client);
await registry.register({ name: service, id: name, address: '127.0.0.1', port });
drainOnSignal(registry, {
  onDrained: () => new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
});
process.send?.('registered');
