import type { TlsMaterial } from './certificates.js';
import type { Cluster, ClusterMember, WaitForLeaderOptions } from './cluster.js';
import { healAll, lineBetween, partition } from './cluster-faults.js';
import { TestkitError } from './errors.js';
import type { EtcdConnectOptions, EtcdCredentials, EtcdTlsFiles } from './etcd-server.js';
import { eventually } from './eventually.js';
import { findLeader, majorityOf } from './leader.js';
import { compactTo, currentRevision, transferLeadership } from './maintenance.js';
import type { MemberHandle } from './member-handle.js';
import type { Membership } from './membership.js';
import type { PeerLine } from './peer-line.js';
import { removeFilling } from './quota.js';

const LEADER_TIMEOUT_MS = 30_000;

/** @internal */
export class ClusterHandle implements Cluster {
  readonly auth: EtcdCredentials | undefined;
  readonly tls: EtcdTlsFiles | undefined;
  readonly #membership: Membership;
  #stopping: Promise<void> | undefined;

  constructor(
    membership: Membership,
    access: { readonly auth: EtcdCredentials | undefined; readonly tls: TlsMaterial | undefined },
  ) {
    this.#membership = membership;
    this.auth = access.auth;
    this.tls = access.tls?.files;
  }

  get members(): readonly MemberHandle[] {
    return this.#membership.members;
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  get connectOptions(): EtcdConnectOptions {
    return { endpoints: this.endpoints, ...this.auth, ...(this.tls && { tls: this.tls }) };
  }

  leader(options?: Omit<WaitForLeaderOptions, 'not'>): Promise<MemberHandle> {
    return this.waitForLeader(options);
  }

  async waitForLeader(options: WaitForLeaderOptions = {}): Promise<MemberHandle> {
    const { not, timeoutMs = LEADER_TIMEOUT_MS, signal } = options;
    return eventually(
      async () => {
        const leader = await findLeader(this.members, majorityOf(this.members.length));
        return leader !== undefined && leader !== not && leader;
      },
      { timeoutMs, signal },
    );
  }

  async moveLeader(to?: ClusterMember): Promise<MemberHandle> {
    const current = await this.leader();
    const target = to ? this.#own(to) : this.#running().find((member) => member !== current);
    if (target?.state !== 'running') {
      const problem = `leadership cannot move to ${target ? `${target.name}: it is ${target.state}` : 'anybody'}`;
      throw new TestkitError('COORD_TESTKIT_INVALID_STATE', problem, 'restart() or resume() another member');
    }
    return eventually(
      async () => {
        const leader = await this.leader();
        if (leader === target) return target;
        await transferLeadership(leader.gateway, target.id);
        return false;
      },
      { timeoutMs: LEADER_TIMEOUT_MS },
    );
  }

  async compact(revision?: bigint): Promise<bigint> {
    const leader = await this.leader();
    const at = revision ?? (await currentRevision(leader.gateway));
    await compactTo(leader.gateway, at);
    // The answer to a second request, "is compacted", shows that a member has come as far as the first.
    await Promise.all(this.#running().map(({ gateway }) => compactTo(gateway, at)));
    return at;
  }

  async defrag(): Promise<void> {
    for (const member of this.#running()) await member.defrag();
  }

  async disarm(): Promise<void> {
    await (await this.leader()).disarm();
  }

  async fillQuota(): Promise<void> {
    await (await this.leader()).fillQuota();
  }

  async freeSpace(revision?: bigint): Promise<void> {
    await removeFilling((await this.leader()).gateway);
    await this.compact(revision);
    await this.defrag();
    await this.disarm();
  }

  async replaceMember(member: ClusterMember): Promise<MemberHandle> {
    return this.#membership.replace(this.#own(member));
  }

  between(a: ClusterMember, b: ClusterMember): PeerLine {
    return lineBetween(this.#membership, this.#own(a), this.#own(b));
  }

  partition(...groups: readonly (readonly ClusterMember[])[]): void {
    partition(
      this.#membership,
      groups.map((group) => group.map((member) => this.#own(member))),
    );
  }

  isolate(member: ClusterMember, options: { readonly clients?: boolean | undefined } = {}): void {
    const clientLine = options.clients ? this.#own(member).clientLine : undefined;
    this.partition(
      [member],
      this.members.filter((other) => other !== member),
    );
    clientLine?.blackhole();
  }

  heal(): Promise<void> {
    return healAll(this.#membership);
  }

  async etcdctl(args: readonly string[]): Promise<string> {
    return (await this.leader()).etcdctl(args);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#membership.remove();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #running(): MemberHandle[] {
    return this.members.filter(({ state }) => state === 'running');
  }

  #own(member: ClusterMember): MemberHandle {
    const own = this.members.find((other) => other === member);
    if (own) return own;
    throw new TestkitError(
      'COORD_TESTKIT_INVALID_STATE',
      `${member.name} is no member of this cluster`,
      'take one of cluster.members',
    );
  }
}
