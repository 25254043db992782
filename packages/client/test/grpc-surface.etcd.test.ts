import type { Socket } from 'node:net';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findOpeningSocket } from '../src/opening-socket.js';

let etcd: EtcdServer;
const closing: grpc.Client[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});
afterEach(() => {
  for (const client of closing.splice(0)) client.close();
});
afterAll(async () => {
  await etcd?.stop();
});

/** As `EndpointSockets` has them: credentials that note which sockets grpc-js opens, and which it has secured. */
class NotingCredentials extends grpc.ChannelCredentials {
  readonly opened: Socket[] = [];
  readonly secured: Socket[] = [];

  _isSecure(): boolean {
    return false;
  }

  _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(): grpc.experimental.SecureConnector {
    return {
      waitForReady: async () => {
        findOpeningSocket(Number(new URL(etcd.endpoint).port), (socket) => this.opened.push(socket));
      },
      connect: async (socket) => {
        this.secured.push(socket);
        return { socket, secure: false };
      },
      getCallCredentials: () => grpc.credentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

function clientOf(credentials: grpc.ChannelCredentials, options: grpc.ClientOptions = {}): grpc.Client {
  const client = new grpc.Client(new URL(etcd.endpoint).host, credentials, options);
  closing.push(client);
  return client;
}

async function ready(client: grpc.Client): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 20_000, (error) => (error ? reject(error) : resolve()));
  });
}

/** What of grpc-js Coord rests on without its being documented: a change of it must fail here, not in production. */
describe('grpc-js', () => {
  it('asks the credentials in the turn in which it opens a socket, and has them secure that very socket', async () => {
    const credentials = new NotingCredentials();
    await ready(clientOf(credentials));
    expect(credentials.secured).toHaveLength(1);
    expect(credentials.opened).toHaveLength(1);
    expect(credentials.opened[0]).toBe(credentials.secured[0]);
  });

  it('asks them again for each connection', async () => {
    const credentials = new NotingCredentials();
    const client = clientOf(credentials);
    await ready(client);
    credentials.secured[0]?.destroy();
    const { READY } = grpc.connectivityState;
    await new Promise<void>((resolve, reject) => {
      client
        .getChannel()
        .watchConnectivityState(READY, Number.POSITIVE_INFINITY, (error) =>
          error ? reject(error) : resolve(),
        );
    });
    await ready(client);
    expect(credentials.secured).toHaveLength(2);
    expect(credentials.opened[1]).toBe(credentials.secured[1]);
  });

  it('makes one connection for clients that share a channel, and another for another channel', async () => {
    const credentials = new NotingCredentials();
    let shared: grpc.ChannelInterface | undefined;
    const options: grpc.ClientOptions = {
      'grpc.use_local_subchannel_pool': 1,
      channelFactoryOverride: (address, own, args) => {
        shared ??= new grpc.Channel(address, own, args);
        return shared;
      },
    };
    await ready(clientOf(credentials, options));
    await ready(clientOf(credentials, options));
    expect(credentials.secured).toHaveLength(1);
    shared = undefined;
    await ready(clientOf(credentials, options));
    expect(credentials.secured).toHaveLength(2);
  });

  it('ends a connection attempt when the credentials reject, with their words', async () => {
    class Refusing extends NotingCredentials {
      override _createSecureConnector(): grpc.experimental.SecureConnector {
        return {
          ...super._createSecureConnector(),
          connect: () => Promise.reject(new Error('given up here')),
        };
      }
    }
    const client = clientOf(new Refusing());
    const noBytes = (bytes: Buffer) => bytes;
    const failed = new Promise<grpc.ServiceError | null>((resolve) => {
      client.makeUnaryRequest('/etcdserverpb.KV/Range', noBytes, noBytes, Buffer.alloc(0), resolve);
    });
    expect(await failed).toMatchObject({ code: 14, details: expect.stringContaining('given up here') });
  });
});
