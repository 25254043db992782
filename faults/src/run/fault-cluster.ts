import { type Cluster, startCluster } from '@coord/testkit';

/** Three members whose client lines can fail; leaders change in a second or so. */
export function startFaultCluster(): Promise<Cluster> {
  return startCluster({ size: 3, proxies: 'client', heartbeatMs: 50, electionMs: 500 });
}
