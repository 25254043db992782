import type { InstanceKey } from './service-codec.js';

/** Where the instances of a service live, and what is kept beside it. */
export class ServiceKeys {
  readonly prefix: string;
  /** Far from the instances: whoever lists those, in any language, takes all that is there for one. */
  readonly serviceConfigPrefix: string;
  readonly #isInstance: (key: InstanceKey) => boolean;

  /**
   * @param keyPrefix without a trailing slash; empty for none
   * @param isInstance what to pass over though it has the right shape
   */
  constructor(keyPrefix: string, isInstance: (key: InstanceKey) => boolean = () => true) {
    this.prefix = keyPrefix === '' ? '' : `${keyPrefix}/`;
    // Every key prefix has its own: `/services` and `services` are two.
    this.serviceConfigPrefix = `/coord/registry/service-config${keyPrefix.startsWith('/') ? '' : ':'}${keyPrefix}/`;
    this.#isInstance = isInstance;
  }

  /** With the trailing slash: `user` must not match `user-admin`. */
  service(serviceName: string): string {
    return `${this.prefix}${serviceName}/`;
  }

  instance(serviceName: string, instanceId: string): string {
    return `${this.prefix}${serviceName}/${instanceId}`;
  }

  /** Where the service config of a service is stored. */
  serviceConfig(serviceName: string): string {
    return `${this.serviceConfigPrefix}${serviceName}`;
  }

  /** The parts of an instance's key; undefined for a key of any other shape. */
  parse(key: string): InstanceKey | undefined {
    if (!key.startsWith(this.prefix)) return undefined;
    const parts = key.slice(this.prefix.length).split('/');
    const [serviceName, instanceId] = parts;
    if (parts.length !== 2 || !serviceName || !instanceId) return undefined;
    const parsed = { serviceName, instanceId };
    return this.#isInstance(parsed) ? parsed : undefined;
  }
}

/** Marks a registration attempt as withdrawn; lives exactly as long as the attempt's lease. */
export function withdrawalKey(nonce: string, leaseId: bigint): string {
  return `/coord/registry/withdrawn/${nonce}-${leaseId.toString(16)}`;
}
