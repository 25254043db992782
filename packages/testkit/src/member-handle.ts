import type { BinaryNode } from './binary-node.js';
import type { ClusterMember } from './cluster.js';
import { ServerHandle, type ServerSettings } from './server-handle.js';

/** Where a member is, before and after it runs. @internal */
export interface Seat {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** What the other members dial. */
  readonly peerUrl: string;
}

/** @internal */
export class MemberHandle extends ServerHandle implements ClusterMember {
  readonly seat: Seat;
  readonly node: BinaryNode;
  #id = 0n;

  constructor(seat: Seat, node: BinaryNode, settings: ServerSettings) {
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

  /** To be called once, when etcd answers. */
  async identify(): Promise<void> {
    this.#id = (await this.status()).memberId;
  }
}
