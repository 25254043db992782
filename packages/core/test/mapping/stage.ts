import { type EtcdServer, startEtcd } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll } from 'vitest';
import { type Coordinator, createCoordinator } from '../../src/index.js';

/** One etcd with two coordinators, for all items; and one with TLS and users. */
export class Stage {
  #etcd: EtcdServer | undefined;
  #guarded: EtcdServer | undefined;
  #coordinator: Coordinator | undefined;
  #other: Coordinator | undefined;
  readonly #servers: grpc.Server[] = [];
  #names = 0;

  get etcd(): EtcdServer {
    return opened(this.#etcd);
  }

  get guarded(): EtcdServer {
    return opened(this.#guarded);
  }

  get coordinator(): Coordinator {
    return opened(this.#coordinator);
  }

  /** Another process, as it were. */
  get other(): Coordinator {
    return opened(this.#other);
  }

  async open(): Promise<void> {
    [this.#etcd, this.#guarded] = await Promise.all([startEtcd(), startEtcd({ tls: true, auth: true })]);
    const { connectOptions } = this.#etcd;
    this.#coordinator = await createCoordinator(connectOptions);
    this.#other = await createCoordinator(connectOptions);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.forceShutdown();
    await Promise.all([this.#coordinator?.close(), this.#other?.close()]);
    await Promise.all([this.#etcd?.stop(), this.#guarded?.stop()]);
  }

  /** A name that no other item uses. */
  unique(): string {
    return `item-${++this.#names}`;
  }

  /** Registers gRPC servers that answer with their own names, with these weights. */
  async serve(service: string, weights: Readonly<Record<string, number>>): Promise<void> {
    for (const [id, weight] of Object.entries(weights)) {
      const server = new grpc.Server();
      this.#servers.push(server);
      server.addService(
        { who: WHO },
        { who: (_call: unknown, answer: grpc.sendUnaryData<Buffer>) => answer(null, Buffer.from(id)) },
      );
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        );
      });
      await this.coordinator.registry.register({ name: service, id, address: '127.0.0.1', port, weight });
    }
  }
}

/** A stage that opens before the items and closes after them. */
export function useStage(): Stage {
  const stage = new Stage();
  beforeAll(() => stage.open());
  afterAll(() => stage.close());
  return stage;
}

/** The name of the server that answers a call. */
export function who(client: grpc.Client): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 30_000, waitForReady: true };
    const { path, requestSerialize, responseDeserialize } = WHO;
    const done = (error: grpc.ServiceError | null, answer?: Buffer) =>
      error ? reject(error) : resolve(String(answer));
    const metadata = new grpc.Metadata({ waitForReady: true });
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, NOTHING, metadata, options, done);
  });
}

/** Who answered so many calls. */
export async function answerers(client: grpc.Client, calls: number): Promise<Set<string>> {
  const names = new Set<string>();
  for (let call = 0; call < calls; call++) names.add(await who(client));
  return names;
}

const NOTHING = Buffer.alloc(0);
const same = (bytes: Buffer) => bytes;
const WHO = {
  path: '/mapping.Who/Who',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

function opened<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the stage is not open');
  return value;
}
