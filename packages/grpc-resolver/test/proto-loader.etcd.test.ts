/** Clients made by @grpc/proto-loader, with calls of all four kinds. Clients as a generator writes them are in the other tests. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CoordClient, connect } from '@coord/client';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getConnection, type LoadBalanceStrategy, type ServiceClientClass } from '../src/index.js';

interface Name {
  readonly name: string;
}

interface Greeting {
  readonly text: string;
}

/** What users write down, or have proto-loader-gen-types write, for a client that is loaded at run time. */
interface GreeterClient extends grpc.Client {
  hello(request: Name, callback: grpc.requestCallback<Greeting>): grpc.ClientUnaryCall;
  helloMany(request: Name): grpc.ClientReadableStream<Greeting>;
  helloAll(callback: grpc.requestCallback<Greeting>): grpc.ClientWritableStream<Name>;
  chat(): grpc.ClientDuplexStream<Name, Greeting>;
}

interface Loaded {
  readonly test: {
    readonly Greeter: ServiceClientClass<GreeterClient> & { readonly service: grpc.ServiceDefinition };
  };
}

const proto = fileURLToPath(new URL('./greeter.proto', import.meta.url));
const { test }: Loaded = Object(grpc.loadPackageDefinition(loadSync(proto)));

let etcd: EtcdServer;
let client: CoordClient;
let registry: ServiceRegistry;
const servers: grpc.Server[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  registry = createRegistry(client);
  for (const id of ['a', 'b']) {
    const port = await serve(id);
    await registry.register({ name: 'greeter', id, address: '127.0.0.1', port });
  }
});

afterAll(async () => {
  for (const server of servers) server.forceShutdown();
  await client?.close();
  await etcd?.stop();
});

async function serve(id: string): Promise<number> {
  const server = new grpc.Server();
  servers.push(server);
  const greet = ({ name }: Name): Greeting => ({ text: `${name} by ${id}` });
  server.addService(test.Greeter.service, {
    hello: (call: grpc.ServerUnaryCall<Name, Greeting>, answer: grpc.sendUnaryData<Greeting>) =>
      answer(null, greet(call.request)),
    helloMany: (call: grpc.ServerWritableStream<Name, Greeting>) => {
      for (let i = 0; i < 3; i++) call.write(greet(call.request));
      call.end();
    },
    helloAll: (call: grpc.ServerReadableStream<Name, Greeting>, answer: grpc.sendUnaryData<Greeting>) => {
      const names: string[] = [];
      call.on('data', ({ name }: Name) => names.push(name));
      call.on('end', () => answer(null, greet({ name: names.join('+') })));
    },
    chat: (call: grpc.ServerDuplexStream<Name, Greeting>) => {
      call.on('data', (name: Name) => call.write(greet(name)));
      call.on('end', () => call.end());
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

const strategies: LoadBalanceStrategy[] = ['round_robin', 'weighted', 'least_conn', 'random'];

describe.each(strategies)('clients of @grpc/proto-loader, with %s', (strategy) => {
  it('make calls of all four kinds, each spread over the instances', async () => {
    await using connection = await getConnection(registry, 'greeter', { strategy });
    const greeter = connection.client(test.Greeter);
    const kinds: Record<string, (name: string) => Promise<string>> = {
      unary: (name) =>
        new Promise((resolve, reject) => {
          greeter.hello({ name }, (error, answer) => (error ? reject(error) : resolve(answer?.text ?? '')));
        }),
      'server stream': async (name) => {
        const texts: string[] = [];
        for await (const { text } of greeter.helloMany({ name })) texts.push(text);
        expect(texts).toHaveLength(3);
        return texts[0] ?? '';
      },
      'client stream': (name) =>
        new Promise((resolve, reject) => {
          const call = greeter.helloAll((error, answer) =>
            error ? reject(error) : resolve(answer?.text ?? ''),
          );
          for (const part of name.split('+')) call.write({ name: part });
          call.end();
        }),
      both: async (name) => {
        const call = greeter.chat();
        call.write({ name });
        const [{ text }] = await once(call, 'data');
        call.end();
        call.resume();
        await once(call, 'end');
        return text;
      },
    };
    for (const call of Object.values(kinds)) {
      const seen = new Set<string>();
      await eventually(async () => {
        seen.add(await call('you+me'));
        expect([...seen].sort()).toEqual(['you+me by a', 'you+me by b']);
      });
    }
  });
});
