/** A gRPC server in a process of its own, for live-weights.ts: it registers itself, and takes new weights from its parent. */
import { connect } from '@coord/client';
import { createRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { greeter } from './greeter.js';

const [service = '', id = '', weight = '1', endpoints = ''] = process.argv.slice(2);

const server = new grpc.Server();
server.addService(greeter, {
  greet: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
    answer(null, Buffer.from(id)),
});
const port = await new Promise<number>((resolve, reject) => {
  const credentials = grpc.ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
});

const client = await connect({ endpoints: endpoints.split(',') });
const registry = createRegistry(client);

/** Registering the same id again replaces what is there, in one step: nobody sees the instance leave. */
const register = (now: number) =>
  registry.register({ name: service, id, address: '127.0.0.1', port, weight: now }, { ttlMs: 3_000 });

await register(Number(weight));
process.on('message', (now) => void register(Number(now)));

// The parent has ended, or has let go of this process: first deregister, then stop serving.
process.once('disconnect', async () => {
  await registry.close();
  await client.close();
  server.forceShutdown();
});
process.send?.('registered');
