import type { ServiceInfo } from './service-info.js';
import type { StoredInstance } from './service-value.js';

/** What became of one instance: absent = its key is gone, or no longer readable. */
export interface InstanceChange {
  readonly id: string;
  readonly instance?: StoredInstance | undefined;
}

interface Held {
  readonly info: ServiceInfo;
  readonly untilMs: number;
}

/**
 * The instances that are believed to be there.
 *
 * A delete does not tell an expired lease from an intended removal, but whoever means it says `leaving`
 * first. So a removal without it is believed at once, unless it would leave nobody to call: then the
 * last ones are held for a while, since a mass expiry says more about etcd or the network than about them.
 */
export class EmptyHold {
  readonly #holdMs: number;
  readonly #present = new Map<string, ServiceInfo>();
  readonly #held = new Map<string, Held>();

  /** @param holdMs 0 = believe everything at once */
  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  /** Applies what changed in one step: instances that vanish together are held together. */
  apply(changes: Iterable<InstanceChange>, nowMs: number): void {
    const vanished: ServiceInfo[] = [];
    for (const { id, instance } of changes) {
      const before = this.#present.get(id);
      this.#present.delete(id);
      if (instance === undefined) {
        if (before) vanished.push(before);
        continue;
      }
      this.#held.delete(id);
      if (!instance.leaving) this.#present.set(id, instance.info);
    }
    this.#hold(vanished, nowMs);
  }

  /** Lets go of what has been held for long enough. @returns whether there was any */
  expire(nowMs: number): boolean {
    let any = false;
    for (const [id, { untilMs }] of this.#held) {
      if (untilMs <= nowMs) any = this.#held.delete(id) || any;
    }
    return any;
  }

  /** When `expire` has something to do next. */
  get nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const { untilMs } of this.#held.values()) next = Math.min(next ?? untilMs, untilMs);
    return next;
  }

  /** How many are listed though they have gone. */
  get heldCount(): number {
    return this.#held.size;
  }

  list(): ServiceInfo[] {
    return [...this.#present.values(), ...[...this.#held.values()].map(({ info }) => info)];
  }

  #hasHealthy(): boolean {
    for (const info of this.#present.values()) {
      if (isHealthy(info)) return true;
    }
    return false;
  }

  #hold(vanished: readonly ServiceInfo[], nowMs: number): void {
    if (this.#holdMs === 0 || (vanished.length === 0 && this.#held.size === 0)) return;
    const somebodyHealthy = this.#hasHealthy();
    const leavesNobody = (info: ServiceInfo) =>
      isHealthy(info) ? !somebodyHealthy : this.#present.size === 0;
    for (const info of vanished) {
      if (leavesNobody(info)) this.#held.set(info.id, { info, untilMs: nowMs + this.#holdMs });
    }
    for (const [id, { info }] of this.#held) {
      if (!leavesNobody(info)) this.#held.delete(id);
    }
  }
}

export function isHealthy(info: ServiceInfo): boolean {
  return info.health === 'healthy';
}
