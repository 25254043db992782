import { deepEqual, equal } from 'node:assert/strict';
import { connect } from '@coord/client';
import { getConnection, type LoadBalanceStrategy, type ServiceConnection } from '@coord/grpc-resolver';
import { createRegistry, type ServiceInfo, type ServiceRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';

const endpoints = [process.env.COORD_ENDPOINTS ?? '127.0.0.1:2379'];

const bytes = (value: Buffer) => value;
const greeter = {
  greet: {
    path: '/consumer.Greeter/Greet',
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
      this.makeUnaryRequest(greeter.greet.path, bytes, bytes, Buffer.from(name), (error, answer) =>
        error ? reject(error) : resolve(String(answer)),
      );
    });
  }
}

async function listen(server: grpc.Server): Promise<number> {
  server.addService(greeter, {
    greet: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
      answer(null, Buffer.from(`hello, ${call.request}`)),
  });
  return new Promise((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
}

async function main(): Promise<void> {
  const server = new grpc.Server();
  const port = await listen(server);
  const client = await connect({ endpoints });
  const registry: ServiceRegistry = createRegistry(client);
  const name = `consumer-${process.pid}`;
  const strategy: LoadBalanceStrategy = 'weighted';
  const connection: ServiceConnection = await getConnection(registry, name, { strategy });
  try {
    const registration = await registry.register({ name, address: '127.0.0.1', port });
    const found: ServiceInfo[] = await registry.discover(name);
    deepEqual(
      found.map((each) => [each.id, each.address, each.port, each.health]),
      [[registration.service.id, '127.0.0.1', port, 'healthy']],
    );
    await connection.waitForReady({ timeoutMs: 10_000 });
    equal(await connection.client(GreeterClient).greet('world'), 'hello, world');
    await registration.deregister();
    deepEqual(await registry.discover(name, { consistency: 'linearizable' }), []);
  } finally {
    await connection.close();
    await registry.close();
    await client.close();
    server.forceShutdown();
  }
  console.log('done');
}

void main();
