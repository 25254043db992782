import { LOOPBACK, listenUrls, type ResolvedHost } from './cluster-host.js';
import type { ResolvedClusterOptions } from './cluster-options.js';
import { TestkitError } from './errors.js';
import type { NodeStart } from './etcd-node.js';
import { eventually } from './eventually.js';
import { freePorts } from './free-port.js';
import { textAt } from './gateway.js';
import { findLeader, majorityOf } from './leader.js';
import { MemberHandle, type Seat } from './member-handle.js';
import type { NodeMaker } from './node-maker.js';
import { PeerNetwork } from './peer-network.js';
import { startProxy } from './proxy.js';
import { createWorkspace, type Workspace } from './workspace.js';

/** The members of a cluster: makes them, and knows which there are. @internal */
export class Membership {
  readonly #settings: ResolvedClusterOptions & { readonly startTimeoutMs: number };
  readonly #nodes: NodeMaker;
  /** Of the cluster as a whole; each member has another one. */
  readonly #workspace: Workspace;
  /** Undefined: the members dial each other directly. */
  readonly network: PeerNetwork | undefined;
  /** Of the members, and of those that are about to be. */
  readonly #seats = new Set<Seat>();
  #members: readonly MemberHandle[] = [];
  #named = 0;

  constructor(
    settings: ResolvedClusterOptions & { readonly startTimeoutMs: number },
    workspace: Workspace,
    nodes: NodeMaker,
  ) {
    this.#settings = settings;
    this.#nodes = nodes;
    this.#workspace = workspace;
    this.network = settings.peerProxies ? new PeerNetwork() : undefined;
  }

  get members(): readonly MemberHandle[] {
    return this.#members;
  }

  /** Starts a new cluster with a member of each version; resolves when all of them serve. */
  async found(): Promise<void> {
    const { versions } = this.#settings;
    const ports = await freePorts(2 * versions.length);
    const seats: Seat[] = [];
    for (const index of versions.keys())
      seats.push(await this.#newSeat(ports.splice(0, 2), this.#hostAt(index)));
    const initialCluster = listOf(seats);
    for (const [index, seat] of seats.entries()) {
      this.#members = [...this.#members, await this.#make(versions[index], seat, initialCluster, 'new')];
    }
    await this.#startTogether();
  }

  /**
   * Takes `old` out and puts a new member into its place.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` if a majority would be missing.
   */
  async replace(old: MemberHandle): Promise<MemberHandle> {
    const size = this.#members.length;
    const index = this.#members.indexOf(old);
    const others = this.#members.toSpliced(index, 1);
    const [helper, ...running] = others.filter(({ state }) => state === 'running');
    // The new one counts from the moment it is added, and it cannot vote before it runs.
    if (!helper || running.length + 1 < majorityOf(size)) throw unsafe(old, size);
    const { gateway } = helper;
    await this.#waitForLeader();
    await gateway.post('cluster/member/remove', { ID: String(old.id) });
    this.#members = others;
    await old.discard();
    await this.#waitForLeader();
    const seat = await this.#newSeat(await freePorts(2), old.seat.host);
    const added = await gateway.post('cluster/member/add', { peerURLs: [seat.peerUrl] });
    const initialCluster = listOf([...others.map((member) => member.seat), seat]);
    const member = await this.#make(old.version, seat, initialCluster, 'existing');
    try {
      await member.node.start({ timeoutMs: this.#settings.startTimeoutMs });
      await member.identify();
    } catch (error) {
      await member.discard();
      await gateway.post('cluster/member/remove', { ID: textAt(added, 'member', 'ID') });
      throw error;
    }
    this.#members = others.toSpliced(index, 0, member);
    return member;
  }

  /** Ends all members, and removes everything they left. */
  async remove(): Promise<void> {
    await Promise.all(this.members.map((member) => member.discard()));
    await Promise.all([...this.#seats].map((seat) => seat.leave()));
    await this.#workspace.remove();
  }

  /** If one fails, the others need not try on: it rejects with the first failure when all have ended their start. */
  async #startTogether(): Promise<void> {
    const { startTimeoutMs, signal } = this.#settings;
    const failed = new AbortController();
    const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
    const starts = this.#members.map(async (member) => {
      try {
        await member.node.start({ timeoutMs: startTimeoutMs, signal: either });
        await member.identify();
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(starts);
    failed.signal.throwIfAborted();
  }

  async #waitForLeader(): Promise<void> {
    const timeoutMs = this.#settings.startTimeoutMs;
    const members = this.#members;
    await eventually(async () => (await findLeader(members, majorityOf(members.length))) ?? false, {
      timeoutMs,
    });
  }

  #hostAt(index: number): ResolvedHost {
    return this.#settings.hosts?.[index] ?? LOOPBACK;
  }

  async #newSeat([clientPort = 0, peerPort = 0]: readonly number[], host: ResolvedHost): Promise<Seat> {
    this.#named += 1;
    const name = `m${this.#named}`;
    const direct = { peerUrl: `http://${host.address}:${peerPort}`, environment: undefined };
    const peers = (await this.network?.join(name, peerPort)) ?? direct;
    const scheme = this.#workspace.tls ? 'https' : 'http';
    const clientProxy = this.#settings.clientProxies
      ? await startProxy({ target: `${scheme}://${host.directAddress}:${clientPort}` })
      : undefined;
    const leave = async () => {
      this.#seats.delete(seat);
      this.network?.leave(name);
      await clientProxy?.close();
    };
    const clientUrl = clientProxy?.endpoint ?? `${scheme}://${host.address}:${clientPort}`;
    const seat = { name, host, clientPort, peerPort, ...peers, clientUrl, clientProxy, leave };
    this.#seats.add(seat);
    return seat;
  }

  async #make(
    version: string | undefined,
    seat: Seat,
    initialCluster: string,
    state: 'new' | 'existing',
  ): Promise<MemberHandle> {
    const { tls, id: token } = this.#workspace;
    const workspace = { ...(await createWorkspace({ tls: undefined, docker: this.#nodes.docker })), tls };
    const { name, host, peerUrl, clientUrl, clientPort, peerPort, environment } = seat;
    const cluster = {
      name,
      peerUrl,
      peerListenUrl: listenUrls(host, peerPort),
      initialCluster,
      token,
      state,
    };
    // Clients that look for members by themselves are to find the proxies.
    const place = { host, clientPort, peerPort, cluster, environment, advertiseUrl: clientUrl };
    try {
      const node = await this.#nodes.make(version, workspace, place);
      return new MemberHandle(seat, node, { ...this.#settings, tls, ready: () => this.#readiness() });
    } catch (error) {
      await workspace.remove();
      throw error;
    }
  }

  /** Without a majority no member can say that it is healthy. */
  #readiness(): NodeStart['ready'] {
    const up = this.#members.filter((member) => member.up);
    return up.length >= majorityOf(this.#members.length) ? 'serving' : 'listening';
  }
}

function unsafe(member: MemberHandle, size: number): TestkitError {
  return new TestkitError(
    'COORD_TESTKIT_INVALID_STATE',
    `replacing ${member.name} would leave fewer than ${majorityOf(size)} of ${size} members running, and no majority`,
    'restart() or resume() the others first',
  );
}

function listOf(seats: readonly Seat[]): string {
  return seats.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
}
