import { type EtcdServer, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterEach, beforeEach } from 'vitest';
import { type ClientOptions, type CoordClient, connect } from '../src/index.js';

/** A client behind a proxy: the line that fails. */
export interface Far extends AsyncDisposable {
  readonly client: CoordClient;
  readonly proxy: TcpProxy;
}

export async function farFrom(etcd: EtcdServer, options: ClientOptions = {}): Promise<Far> {
  const proxy = await startProxy({ target: etcd.endpoint });
  const client = await connect({ ...etcd.connectOptions, endpoints: [proxy.endpoint], ...options });
  return {
    client,
    proxy,
    async [Symbol.asyncDispose]() {
      proxy.heal();
      await client.close({ timeoutMs: 500 });
      await proxy.close();
    },
  };
}

/** Another one for each test. */
export function farOfEachTest(
  etcd: EtcdServer,
  options: () => ClientOptions = () => ({}),
): Omit<Far, keyof AsyncDisposable> {
  let present: Far | undefined;
  beforeEach(async () => {
    present = await farFrom(etcd, options());
  });
  afterEach(async () => {
    await present?.[Symbol.asyncDispose]();
    present = undefined;
  });
  const far = (): Far => {
    if (present === undefined) throw new Error('there is one only within a test');
    return present;
  };
  return {
    get client() {
      return far().client;
    },
    get proxy() {
      return far().proxy;
    },
  };
}

/** Nothing gets through until `accept`. */
export async function disconnect(proxy: TcpProxy): Promise<void> {
  await proxy.refuse();
  proxy.cut();
}
