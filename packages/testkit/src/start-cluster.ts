import { enableAuth } from './auth.js';
import type { Cluster } from './cluster.js';
import { ClusterHandle } from './cluster-handle.js';
import {
  type ResolvedClusterOptions,
  resolveClusterOptions,
  type StartClusterOptions,
} from './cluster-options.js';
import { connectToContainers } from './container-runtime.js';
import { ensureEtcd } from './ensure-etcd.js';
import { abortedError, EtcdStartError, throwIfAborted } from './errors.js';
import { eventually } from './eventually.js';
import { findLeader } from './leader.js';
import { Membership } from './membership.js';
import { binaryNodes, containerNodes, type NodeMaker } from './node-maker.js';
import { createWorkspace } from './workspace.js';

const START_TIMEOUT_MS = 30_000;
/** Holds the time to pull the image. */
const CONTAINER_START_TIMEOUT_MS = 120_000;
/** A port can be taken by others between its choice and its use; then all are chosen anew. */
const MAX_TRIES = 3;

/**
 * Starts a real etcd of several members, on free ports of 127.0.0.1 and in temporary folders; resolves when all of them serve and agree
 * on a leader.
 *
 * `await using` ends it. Should this process end without that, a crash included, a small process of its own kills the members and
 * removes their folders. A running cluster does not keep this process alive. Containers share the network of this machine,
 * so Docker has to run on it, and it has to be Linux.
 *
 * @throws {EtcdNotFoundError} if there is no etcd of that version and none can be had.
 * @throws {EtcdStartError} if a member does not serve within `startTimeoutMs` (30,000); holds the end of its log.
 * @throws {TestkitError} `COORD_TESTKIT_CONTAINER_UNAVAILABLE` as `startEtcd`; `COORD_TESTKIT_UNSUPPORTED` if Docker runs elsewhere;
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
  const { signal } = settings;
  throwIfAborted(signal);
  const nodes = await chooseNodes(settings);
  for (let tries = 1; ; tries++) {
    try {
      return await bringUp(settings, nodes);
    } catch (error) {
      throwIfAborted(signal);
      const taken = error instanceof EtcdStartError && /address already in use/.test(error.log);
      if (!taken || tries === MAX_TRIES) throw error;
    }
  }
}

/** Binaries if they are there or can be had, else containers. */
async function chooseNodes(settings: ResolvedClusterOptions): Promise<NodeMaker> {
  const { backend, signal, onProgress, versions } = settings;
  if (backend === 'testcontainers') return containerNodes(await connectToContainers(), settings);
  try {
    for (const version of versions) await ensureEtcd({ version, onProgress, signal });
    return binaryNodes(settings);
  } catch (noBinary) {
    throwIfAborted(signal);
    if (backend === 'binary') throw noBinary;
    const runtime = await connectToContainers().catch(() => undefined);
    if (!runtime) throw noBinary;
    return containerNodes(runtime, settings);
  }
}

async function bringUp(settings: ResolvedClusterOptions, nodes: NodeMaker): Promise<Cluster> {
  const { auth, signal, size, tls } = settings;
  const { startTimeoutMs = nodes.docker ? CONTAINER_START_TIMEOUT_MS : START_TIMEOUT_MS } = settings;
  const workspace = await createWorkspace({ tls });
  const membership = new Membership({ ...settings, startTimeoutMs }, workspace, nodes);
  const cluster = new ClusterHandle(membership, { auth, tls: workspace.tls });
  try {
    throwIfAborted(signal);
    await membership.found();
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
