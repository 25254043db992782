import { enableAuth } from './auth.js';
import { BinaryNode } from './binary-node.js';
import { CONTAINER_LABEL, ContainerNode } from './container-node.js';
import { connectToContainers } from './container-runtime.js';
import { ensureEtcd } from './ensure-etcd.js';
import { abortedError, TestkitError, throwIfAborted } from './errors.js';
import type { EtcdNode } from './etcd-node.js';
import type { EtcdServer } from './etcd-server.js';
import { type ResolvedStartOptions, resolveStartOptions, type StartEtcdOptions } from './options.js';
import { ServerHandle } from './server-handle.js';
import { createWorkspace, type Workspace } from './workspace.js';

const BINARY_START_TIMEOUT_MS = 20_000;
/** Holds the time to pull the image. */
const CONTAINER_START_TIMEOUT_MS = 120_000;

/**
 * Starts a real etcd with one member, on free ports of 127.0.0.1 and in a temporary folder; resolves when it answers.
 *
 * `await using` stops it. Should this process end without that, a crash included, a small process of its own kills etcd and
 * removes its folder. A running server does not keep this process alive.
 *
 * @throws {EtcdNotFoundError} if there is no etcd of that version and none can be had.
 * @throws {EtcdStartError} if it does not answer within `startTimeoutMs`; holds the end of its log.
 * @throws {TestkitError} `COORD_TESTKIT_CONTAINER_UNAVAILABLE` if the backend is `testcontainers` and it, or Docker, is missing;
 *   `COORD_TESTKIT_ABORTED` when `signal` aborts; `COORD_TESTKIT_INVALID_ARGUMENT`.
 * @example
 * ```ts
 * import { startEtcd } from '@coord/testkit';
 *
 * await using server = await startEtcd({ version: '3.5' });
 * const answer = await fetch(`${server.endpoint}/version`);
 * console.log(await answer.text());
 * ```
 */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<EtcdServer> {
  const settings = resolveStartOptions(options);
  throwIfAborted(settings.signal);
  if (settings.backend === 'testcontainers') return startContainer(settings);
  if (settings.backend === 'binary') return startBinary(settings);
  return startWhatIsThere(settings);
}

/** A binary if one is there or can be had, else a container. */
async function startWhatIsThere(settings: ResolvedStartOptions): Promise<EtcdServer> {
  try {
    await ensureEtcd(settings);
  } catch (noBinary) {
    throwIfAborted(settings.signal);
    try {
      return await startContainer(settings);
    } catch (error) {
      const noContainers = TestkitError.is(error) && error.code === 'COORD_TESTKIT_CONTAINER_UNAVAILABLE';
      throw noContainers ? noBinary : error;
    }
  }
  return startBinary(settings);
}

async function startBinary(settings: ResolvedStartOptions): Promise<EtcdServer> {
  const binary = await ensureEtcd(settings);
  throwIfAborted(settings.signal);
  const workspace = await createWorkspace({ tls: settings.tls });
  const timeoutMs = settings.startTimeoutMs ?? BINARY_START_TIMEOUT_MS;
  return bringUp(new BinaryNode(binary, workspace, settings), workspace, settings, timeoutMs);
}

async function startContainer(settings: ResolvedStartOptions): Promise<EtcdServer> {
  const runtime = await connectToContainers();
  throwIfAborted(settings.signal);
  const docker = { label: CONTAINER_LABEL, target: runtime.target };
  const workspace = await createWorkspace({ tls: settings.tls, docker, host: runtime.host });
  const timeoutMs = settings.startTimeoutMs ?? CONTAINER_START_TIMEOUT_MS;
  return bringUp(new ContainerNode(runtime, workspace, settings), workspace, settings, timeoutMs);
}

async function bringUp(
  node: EtcdNode,
  workspace: Workspace,
  settings: ResolvedStartOptions,
  startTimeoutMs: number,
): Promise<EtcdServer> {
  const { auth, signal, stopTimeoutMs, quotaBytes, onProgress } = settings;
  const tls = workspace.tls;
  try {
    await node.start({ timeoutMs: startTimeoutMs, signal });
    if (auth) await enableAuth(node.endpoint, auth, { tls: tls?.call, signal });
    throwIfAborted(signal);
  } catch (error) {
    await node.remove();
    throw signal?.aborted ? abortedError(signal) : error;
  }
  return new ServerHandle(node, { auth, tls, quotaBytes, startTimeoutMs, stopTimeoutMs, onProgress });
}
