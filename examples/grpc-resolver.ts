/**
 * gRPC: a connection that follows the instances of a service, while calls go on.
 *
 *   npm run example -- grpc-resolver
 */
import { connect } from '@coord/client';
import { getConnection } from '@coord/grpc-resolver';
import { createRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { findEtcd } from './support/etcd.js';

// --- A service in gRPC, as a code generator would write it ------------------------------------------------

const bytes = (value: Buffer) => value;
const definition = {
  greet: {
    path: '/example.Greeter/Greet',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
} as const;

class GreeterClient extends grpc.Client {
  greet(name: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(definition.greet.path, bytes, bytes, Buffer.from(name), (error, answer) =>
        error ? reject(error) : resolve(String(answer)),
      );
    });
  }
}

await using etcd = await findEtcd();
await using client = await connect({ endpoints: etcd.endpoints });
await using registry = createRegistry(client);

// A name of its own for each run, so that the example can be run twice at once.
const name = `greeter-${process.pid}`;

/** Starts a server on a free port and registers it. */
async function start(id: string) {
  const server = new grpc.Server();
  server.addService(definition, {
    greet: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
      answer(null, Buffer.from(id)),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const registration = await registry.register({ name, id, address: '127.0.0.1', port });
  return { server, registration };
}

const red = await start('red');
const green = await start('green');

// --- One connection, balanced over all instances; nobody wrote an address down ----------------------------

await using connection = await getConnection(registry, name, { strategy: 'round_robin' });
const greeter = connection.client(GreeterClient);

/** Calls until exactly these have answered within one round of ten calls. Every call must succeed. */
async function callUntil(what: string, expected: readonly string[]): Promise<void> {
  for (let answers: string[] = []; answers.join() !== expected.join(); ) {
    const round = await Promise.all(Array.from({ length: 10 }, () => greeter.greet('you')));
    answers = [...new Set(round)].sort();
  }
  console.log(`${what.padEnd(24)} -> answered by ${expected.join(' and ')}`);
}

await callUntil('Two instances', ['green', 'red']);

const blue = await start('blue');
await callUntil('"blue" comes', ['blue', 'green', 'red']);

// Deregister first, shut down afterwards: no call is sent to a server that is going away.
await red.registration.deregister();
await callUntil('"red" deregisters', ['blue', 'green']);
red.server.forceShutdown();
await callUntil('… and shuts down', ['blue', 'green']);

await green.registration.updateHealth('maintenance');
await callUntil('"green" in maintenance', ['blue']);
console.log('\nNot one call failed.');

for (const { server } of [green, blue]) server.forceShutdown();
