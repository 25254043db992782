import type { Cluster } from '@coord/testkit';
import type { Fleet, FleetServer } from './failover-fleet.js';

export interface Scene {
  readonly cluster: Cluster;
  readonly fleet: Fleet;
}

/** Something that goes wrong, or is done on purpose. */
export interface FailoverEvent {
  readonly title: string;
  /** The server that it befalls; none when it befalls etcd. */
  victim?(scene: Scene): FleetServer | Promise<FleetServer>;
  strike(scene: Scene, victim: FleetServer | undefined): unknown;
  /** Makes everything whole again. */
  mend(scene: Scene, victim: FleetServer | undefined): Promise<unknown>;
}

const ofAServer = {
  victim: ({ fleet }: Scene) => fleet.last(),
  mend: async ({ fleet }: Scene, victim: FleetServer | undefined) => victim && (await fleet.replace(victim)),
};

const ofEtcd = {
  mend: ({ cluster }: Scene) =>
    Promise.all(cluster.members.filter(({ state }) => state === 'down').map((member) => member.restart())),
};

export const EVENTS = {
  deregister: {
    ...ofAServer,
    title: 'deregister, and serve on',
    strike: (_scene, victim) => victim?.order({ type: 'deregister' }),
  },
  drain: {
    ...ofAServer,
    title: 'drain, and serve on',
    strike: (_scene, victim) => victim?.order({ type: 'drain' }),
  },
  sigterm: {
    ...ofAServer,
    title: 'SIGTERM: drain, finish, exit',
    strike: (_scene, victim) => victim?.child.kill('SIGTERM'),
  },
  sigkill: {
    ...ofAServer,
    title: 'SIGKILL',
    strike: (_scene, victim) => victim?.child.kill('SIGKILL'),
  },
  sigstop: {
    ...ofAServer,
    title: 'SIGSTOP',
    strike: (_scene, victim) => victim?.child.kill('SIGSTOP'),
  },
  blackhole: {
    ...ofAServer,
    title: 'black hole to the server',
    victim: ({ fleet }) => fleet.replace(fleet.last(), true),
    strike: (_scene, victim) => victim?.line?.blackhole(),
  },
  'etcd-leader': {
    ...ofEtcd,
    title: 'etcd leader killed',
    strike: async ({ cluster }) => (await cluster.leader()).kill(),
  },
  'etcd-down': {
    ...ofEtcd,
    title: 'all of etcd killed',
    strike: ({ cluster }) => Promise.all(cluster.members.map((member) => member.kill())),
  },
} as const satisfies Record<string, FailoverEvent>;

export type EventName = keyof typeof EVENTS;
