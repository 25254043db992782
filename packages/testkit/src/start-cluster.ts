import { enableAuth } from './auth.js';
import type { Cluster } from './cluster.js';
import { ClusterHandle } from './cluster-handle.js';
import {
  type ResolvedClusterOptions,
  resolveClusterOptions,
  type StartClusterOptions,
} from './cluster-options.js';
import { ensureEtcd } from './ensure-etcd.js';
import { abortedError, EtcdStartError, TestkitError, throwIfAborted } from './errors.js';
import { eventually } from './eventually.js';
import type { EtcdBinary } from './find-etcd.js';
import { findLeader } from './leader.js';
import { Membership } from './membership.js';
import { createWorkspace } from './workspace.js';

const START_TIMEOUT_MS = 30_000;
/** A port can be taken by others between its choice and its use; then all are chosen anew. */
const MAX_TRIES = 3;

/**
 * Starts a real etcd of several members, on free ports of 127.0.0.1 and in temporary folders; resolves when all of them serve and agree
 * on a leader.
 *
 * `await using` ends it. Should this process end without that, a crash included, a small process of its own kills the members and
 * removes their folders. A running cluster does not keep this process alive. It needs an etcd binary: with containers there is only
 * `startEtcd`.
 *
 * @throws {EtcdNotFoundError} if there is no etcd of that version and none can be had.
 * @throws {EtcdStartError} if a member does not serve within `startTimeoutMs` (30,000); holds the end of its log.
 * @throws {TestkitError} `COORD_TESTKIT_UNSUPPORTED` if the backend is `testcontainers`, also by COORD_TEST_BACKEND;
 *   `COORD_TESTKIT_ABORTED` when `signal` aborts; `COORD_TESTKIT_INVALID_ARGUMENT`.
 * @example
 * ```ts
 * import { startCluster } from '@coord/testkit';
 *
 * await using cluster = await startCluster({ size: 3 });
 * const old = await cluster.leader();
 * await old.kill();
 * const next = await cluster.waitForLeader({ not: old });
 * console.log(`${old.name} is dead, long live ${next.name}`);
 * await old.restart();
 * ```
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<Cluster> {
  const settings = resolveClusterOptions(options);
  const { backend, signal, onProgress } = settings;
  throwIfAborted(signal);
  if (backend === 'testcontainers') {
    throw new TestkitError(
      'COORD_TESTKIT_UNSUPPORTED',
      'a cluster does not run in containers',
      "use the backend 'binary', or startEtcd",
    );
  }
  const binaries: EtcdBinary[] = [];
  for (const version of settings.versions) binaries.push(await ensureEtcd({ version, onProgress, signal }));
  for (let tries = 1; ; tries++) {
    try {
      return await bringUp(settings, binaries);
    } catch (error) {
      throwIfAborted(signal);
      const taken = error instanceof EtcdStartError && /address already in use/.test(error.log);
      if (!taken || tries === MAX_TRIES) throw error;
    }
  }
}

async function bringUp(settings: ResolvedClusterOptions, binaries: readonly EtcdBinary[]): Promise<Cluster> {
  const { auth, signal, startTimeoutMs = START_TIMEOUT_MS, size, tls } = settings;
  // The check of etcd itself also wants every member to have been connected for 5 s; replaceMember has one of its own.
  const args = ['--strict-reconfig-check=false', ...settings.args];
  const workspace = await createWorkspace({ tls });
  const membership = new Membership({ ...settings, args, startTimeoutMs }, workspace);
  const cluster = new ClusterHandle(membership, { auth, tls: workspace.tls });
  try {
    throwIfAborted(signal);
    await membership.found(binaries);
    const waiting = { timeoutMs: startTimeoutMs, signal };
    const leader = await eventually(async () => (await findLeader(cluster.members, size)) ?? false, waiting);
    if (auth) {
      await enableAuth(leader.directEndpoint, auth, { tls: workspace.tls?.call, signal });
      await Promise.all(membership.members.map(({ gateway }) => eventually(() => gateway.login(), waiting)));
    }
    throwIfAborted(signal);
    return cluster;
  } catch (error) {
    await membership.remove();
    throw signal?.aborted ? abortedError(signal) : error;
  }
}
