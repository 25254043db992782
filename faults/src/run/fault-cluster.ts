import { type Cluster, startCluster } from '@coord/testkit';

/** etcd's default is 10 minutes. */
const PROGRESS = '--experimental-watch-progress-notify-interval=500ms';

/** Three members whose client lines can fail; leaders change in a second or so, idle watches hear of their progress often. */
export function startFaultCluster(): Promise<Cluster> {
  return startCluster({ size: 3, proxies: 'client', heartbeatMs: 50, electionMs: 500, args: [PROGRESS] });
}
