import type { ClusterMember } from './cluster.js';
import type { ResolvedHost } from './cluster-host.js';
import { TestkitError } from './errors.js';
import type { EtcdNode } from './etcd-node.js';
import type { Proxy as LineProxy } from './proxy.js';
import { ServerHandle, type ServerSettings } from './server-handle.js';

/** Where a member is, before and after it runs. @internal */
export interface Seat {
  readonly name: string;
  readonly host: ResolvedHost;
  readonly clientPort: number;
  readonly peerPort: number;
  /** What the other members dial. */
  readonly peerUrl: string;
  /** So that it dials the others through the network. */
  readonly environment: Readonly<Record<string, string>> | undefined;
  /** What clients dial. */
  readonly clientUrl: string;
  /** What is there, if not the member itself. */
  readonly clientProxy: LineProxy | undefined;
  /** Gives all of it back. */
  leave(): Promise<void>;
}

/** @internal */
export class MemberHandle extends ServerHandle implements ClusterMember {
  readonly seat: Seat;
  readonly node: EtcdNode;
  #id = 0n;

  constructor(seat: Seat, node: EtcdNode, settings: ServerSettings) {
    super(node, settings);
    this.seat = seat;
    this.node = node;
  }

  get name(): string {
    return this.seat.name;
  }

  get id(): bigint {
    return this.#id;
  }

  override get endpoint(): string {
    return this.seat.clientUrl;
  }

  get directEndpoint(): string {
    return this.node.endpoint;
  }

  get clientLine(): LineProxy {
    if (this.seat.clientProxy) return this.seat.clientProxy;
    throw new TestkitError(
      'COORD_TESTKIT_INVALID_STATE',
      `there is no proxy between clients and ${this.name}`,
      "start the cluster with proxies: 'client' or true",
    );
  }

  override async discard(): Promise<void> {
    await super.discard();
    await this.seat.leave();
  }

  /** To be called once, when etcd answers. */
  async identify(): Promise<void> {
    this.#id = (await this.status()).memberId;
  }
}
