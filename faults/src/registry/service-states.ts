import type { EtcdEvent } from '../etcd-event.js';

/** An instance as its value in etcd has it. */
export interface Instance {
  readonly id: string;
  /** The name that its owner gave the registration. */
  readonly registration: string;
  readonly health: string;
  /** When its owner wrote it. */
  readonly heartbeat: string;
  readonly leaving: boolean;
  /** `host:port`. */
  readonly address: string;
}

/** A service at a revision. */
export interface ServiceState {
  readonly revision: number;
  /** When it was heard of. */
  readonly seenAt: number;
  readonly instances: ReadonlyMap<string, Instance>;
  /** As they were when they vanished, without a goodbye: those that have not come back. */
  readonly vanished: ReadonlyMap<string, Instance>;
}

/** Every state that a service was ever in, from empty on. */
export function statesOf(log: readonly EtcdEvent[], prefix: string): ServiceState[] {
  const states: ServiceState[] = [{ revision: 0, seenAt: 0, instances: new Map(), vanished: new Map() }];
  let instances = new Map<string, Instance>();
  let vanished = new Map<string, Instance>();
  for (const event of log) {
    if (!event.key.startsWith(prefix)) continue;
    const { revision, seenAt } = event;
    const isSame = states.at(-1)?.revision === revision; // what one transaction has changed is one state
    [instances, vanished] = [new Map(instances), new Map(vanished)];
    const id = event.key.slice(prefix.length);
    const before = instances.get(id);
    vanished.delete(id);
    if (event.type === 'put') instances.set(id, instanceOf(event.value));
    else {
      instances.delete(id);
      if (before !== undefined && !before.leaving) vanished.set(id, before);
    }
    states.splice(isSame ? -1 : states.length, isSame ? 1 : 0, { revision, seenAt, instances, vanished });
  }
  return states;
}

interface StoredValue {
  readonly id: string;
  readonly health: string;
  readonly address: string;
  readonly port: number;
  readonly metadata: { readonly registration: string };
  readonly lastHeartbeat: string;
  readonly leaving?: boolean;
}

export function instanceOf(value: string): Instance {
  const { id, health, address, port, metadata, lastHeartbeat, leaving }: StoredValue = JSON.parse(value);
  const { registration } = metadata;
  return {
    ...{ id, health, registration, heartbeat: lastHeartbeat },
    leaving: leaving === true,
    address: `${address}:${port}`,
  };
}
