import { type EtcdServer, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { type CoordClient, connect } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';

/** Lines to etcd that a test can break. */
export interface Lines {
  /** One more. */
  proxied(): Promise<TcpProxy>;
  /** A client that has nothing but these. */
  behind(...proxies: readonly TcpProxy[]): Promise<CoordClient>;
}

/** @param closes closes what is made here when the test has ended */
export function linesTo(etcd: EtcdServer, closes = closedAfterEach()): Lines {
  return {
    proxied: async () => closes(await startProxy({ target: etcd.endpoint })),
    async behind(...proxies) {
      const client = await connect({ endpoints: proxies.map(({ endpoint }) => endpoint) });
      closes({ close: () => client.close({ timeoutMs: 500 }) });
      return client;
    },
  };
}
