// A child process: a gRPC server that registers itself, and leaves politely when told to or on SIGTERM.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@coord/client';
import { createRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { runAsChild } from './child.js';
import { now } from './clock.js';
import { greeterService } from './greeter.js';
import { SERVER_TTL_MS, SERVICE, type ServerOrder, type ServerReport } from './messages.js';

/** How long a call takes, so that some are always under way. */
const WORK_MS = 3;

await runAsChild<ServerOrder, ServerReport>(async ({ name, endpoints, namespace }, parent) => {
  const terminated = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const server = new grpc.Server();
  const client = await connect({ endpoints, namespace });
  const registry = createRegistry(client);
  try {
    const port = await listen(server, name);
    const startedAt = now();
    const registration = await registry.register(
      { name: SERVICE, id: name, address: '127.0.0.1', port },
      { ttlMs: SERVER_TTL_MS },
    );
    parent.tell({ type: 'registered', port, tookMs: now() - startedAt });

    const order = await Promise.race([parent.orders.next(), terminated.then(() => undefined)]);

    const leavingAt = now();
    await registration.deregister();
    const at = now();
    parent.tell({ type: 'deregistered', at, tookMs: at - leavingAt });
    if (order !== undefined) await sleep(order.value.keepServingMs);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  } finally {
    server.forceShutdown();
    await registry.close();
    await client.close();
  }
});

function listen(server: grpc.Server, name: string): Promise<number> {
  server.addService(greeterService, {
    hello: (_call: grpc.ServerUnaryCall<string, unknown>, answer: grpc.sendUnaryData<unknown>) => {
      setTimeout(() => answer(null, { from: name }), WORK_MS);
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}
