/** A gRPC server in a process of its own, for failover.ts. It does what its parent says, and ends with it. */
import { connect } from '@coord/client';
import { createRegistry, drainOnSignal, type Registration } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { type ServerOrder, WHO } from './failover-messages.js';

/** How long a call takes, so that some are always under way. */
const WORK_MS = 3;
const [name = '', id = '', endpoints = '', ttlMs = ''] = process.argv.slice(2);

process.once('disconnect', () => process.exit(1));

const server = new grpc.Server();
server.addService(
  { who: WHO },
  {
    who: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
      setTimeout(() => answer(null, Buffer.from(id)), WORK_MS);
    },
  },
);
const bound = await new Promise<number>((resolve, reject) => {
  const credentials = grpc.ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
});
const client = await connect({ endpoints: endpoints.split(',') });
const registry = createRegistry(client);
let registration: Registration | undefined;

process.on('message', async (order: ServerOrder) => {
  if (order.type === 'register') {
    const { port } = order;
    registration = await registry.register(
      { name, id, address: '127.0.0.1', port },
      { ttlMs: Number(ttlMs) },
    );
    process.send?.({ type: 'registered' });
  } else if (order.type === 'drain') {
    await registration?.drain();
  } else {
    await registration?.deregister();
  }
});

// As a service ends that is told to: first nobody is sent here any more, then what is under way is finished.
drainOnSignal(registry, { onDrained: () => new Promise<void>((done) => server.tryShutdown(() => done())) });

process.send?.({ type: 'listening', port: bound });
