import { type EtcdServer, type Proxy as Line, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { DistributedLockConfig } from '../src/index.js';
import { type Party, party } from './support.js';

/** One etcd for the tests of a file, and for each test two parties. */
export interface TwoLines {
  readonly etcd: EtcdServer;
  readonly proxy: Line;
  /** Reaches etcd through the proxy. */
  readonly remote: Party;
  /** Reaches etcd directly, to see what is there. */
  readonly direct: Party;
}

export function useTwoLines(config: DistributedLockConfig = {}): TwoLines {
  let etcd: EtcdServer;
  let proxy: Line;
  let remote: Party;
  let direct: Party;

  beforeAll(async () => {
    etcd = await startEtcd();
    proxy = await startProxy({ target: etcd.endpoint });
  });
  afterAll(async () => {
    await proxy?.close();
    await etcd?.stop();
  });
  beforeEach(async () => {
    proxy.heal();
    await proxy.accept();
    direct = await party(etcd.connectOptions, config);
    remote = await party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }, config);
  });

  return {
    get etcd() {
      return etcd;
    },
    get proxy() {
      return proxy;
    },
    get remote() {
      return remote;
    },
    get direct() {
      return direct;
    },
  };
}
