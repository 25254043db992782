import { createServer } from 'node:net';
import { BinaryNode } from './binary-node.js';
import { CONTAINER_LABEL, ContainerNode } from './container-node.js';
import type { ContainerRuntime } from './container-runtime.js';
import { ensureEtcd } from './ensure-etcd.js';
import { TestkitError } from './errors.js';
import type { EtcdNode, MemberPlace } from './etcd-node.js';
import type { ResolvedStartOptions } from './options.js';
import type { DockerTarget } from './reaper.js';
import type { Workspace } from './workspace.js';

/** What the members of a cluster are made of. @internal */
export interface NodeMaker {
  /** What their workspaces have to know. */
  readonly docker: { readonly label: string; readonly target: DockerTarget | undefined } | undefined;
  make(version: string | undefined, workspace: Workspace, place: MemberPlace): Promise<EtcdNode>;
}

/** Members that are processes of this machine. @internal */
export function binaryNodes(settings: ResolvedStartOptions): NodeMaker {
  const { onProgress, signal } = settings;
  return {
    docker: undefined,
    make: async (version, workspace, place) =>
      new BinaryNode(await ensureEtcd({ version, onProgress, signal }), workspace, settings, place),
  };
}

/**
 * Members in containers that share the network of this machine.
 *
 * @internal
 * @throws {TestkitError} `COORD_TESTKIT_UNSUPPORTED` if Docker runs elsewhere, where that is another network.
 */
export async function containerNodes(
  runtime: ContainerRuntime,
  settings: ResolvedStartOptions,
): Promise<NodeMaker> {
  if (process.platform !== 'linux' || !(await isOwnAddress(runtime.host))) {
    throw new TestkitError(
      'COORD_TESTKIT_UNSUPPORTED',
      `a cluster of containers has to share the network of this machine; Docker runs at ${runtime.host} (${process.platform})`,
      "use the backend 'binary', or startEtcd",
    );
  }
  return {
    docker: { label: CONTAINER_LABEL, target: runtime.target },
    make: async (version, workspace, place) =>
      new ContainerNode(runtime, workspace, { ...settings, version }, place),
  };
}

/** One can only listen on what is one's own. The list of interfaces leaves out what has no carrier, as Docker's bridge now and then. */
function isOwnAddress(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port: 0 }, () => server.close(() => resolve(true)));
  });
}
