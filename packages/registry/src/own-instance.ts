import type { HealthStatus, ServiceInfo } from './service-info.js';
import type { StoredInstance } from './service-value.js';

/** What one of our instances is to be in etcd, and how much of it is there. */
export class OwnInstance {
  #info: ServiceInfo;
  /** The health that etcd has, as far as we know. */
  #storedHealth: HealthStatus | undefined;
  /** Updates by the application that are on their way. */
  #updates = 0;

  constructor(info: ServiceInfo) {
    this.#info = info;
  }

  get info(): ServiceInfo {
    return this.#info;
  }

  get isStored(): boolean {
    return this.#storedHealth === this.#info.health;
  }

  setHealth(health: HealthStatus): void {
    this.#info = Object.freeze({ ...this.#info, health });
  }

  /** From now on until the returned function is called, the application's will counts for more than an operator's. */
  beginUpdate(health: HealthStatus): () => void {
    this.setHealth(health);
    this.#updates++;
    return () => {
      this.#updates--;
    };
  }

  /** What to write: its heartbeat is the time at which it is written. */
  toWrite(): ServiceInfo {
    this.#info = Object.freeze({ ...this.#info, lastHeartbeat: new Date() });
    return this.#info;
  }

  stored({ health }: ServiceInfo): void {
    this.#storedHealth = health;
  }

  /** Takes a health over that an operator has set: it is to survive a recovery. @returns whether he has */
  adopt(found: StoredInstance | undefined): boolean {
    if (found?.author?.generation !== 0 || this.#updates > 0) return false;
    this.setHealth(found.info.health);
    this.stored(found.info);
    return true;
  }
}
