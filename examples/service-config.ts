/**
 * A service config in etcd: retries that are switched on for clients that run, and off again.
 *
 *   npm run example -- service-config
 */
import { connect, ValidationError } from '@coord/client';
import {
  deleteServiceConfig,
  getConnection,
  type ServiceConfig,
  setServiceConfig,
} from '@coord/grpc-resolver';
import { createRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { findEtcd } from './support/etcd.js';
import { GreeterClient, greeter } from './support/greeter.js';

await using etcd = await findEtcd();
await using client = await connect({ endpoints: etcd.endpoints });
await using registry = createRegistry(client);

// A name of its own for each run, so that the example can be run twice at once.
const name = `greeter-${process.pid}`;

/** Starts a server on a free port and registers it. A sick one refuses every call. */
async function start(id: string, sick: boolean): Promise<grpc.Server> {
  const server = new grpc.Server();
  server.addService(greeter, {
    greet: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
      sick ? answer({ code: grpc.status.UNAVAILABLE }) : answer(null, Buffer.from(id)),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  await registry.register({ name, id, address: '127.0.0.1', port });
  return server;
}

const servers = await Promise.all([start('well', false), start('sick', true)]);

// --- A client that knows nothing of retries ---------------------------------------------------------------

await using connection = await getConnection(registry, name);
const greetings = connection.client(GreeterClient);

/** Makes rounds of 30 calls until so many fail in one. */
async function callUntil(what: string, expected: number): Promise<void> {
  for (let failed = -1; failed !== expected; ) {
    failed = 0;
    for (let call = 0; call < 30; call++) await greetings.greet('you').catch(() => failed++);
  }
  console.log(`${what.padEnd(28)} -> of 30 calls ${expected} fail`);
}

await callUntil('One of two servers is sick', 15);

// --- The owner of the service knows that its calls may be repeated ----------------------------------------

const retries: ServiceConfig = {
  methodConfig: [
    {
      name: [{ service: 'example.Greeter' }],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '0.01s',
        maxBackoff: '0.1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};
await setServiceConfig(registry, name, retries);
await callUntil('A retry policy is stored', 0);

try {
  await setServiceConfig(registry, name, { ...retries, loadBalancingConfig: [{ round_robbin: {} }] });
} catch (error) {
  if (!(error instanceof ValidationError)) throw error;
  console.log(`\nA wrong one is refused: ${error.message}\n`);
}
await callUntil('The good one stays', 0);

await deleteServiceConfig(registry, name);
await callUntil('It is deleted', 15);

for (const server of servers) server.forceShutdown();
