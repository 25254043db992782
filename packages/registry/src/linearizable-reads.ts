import type { KeyValue } from '@coord/client';
import { prefixEnd, SharedRead } from '@coord/client/internal';
import type { RegistryContext } from './registry-context.js';
import type { ServiceInfo } from './service-info.js';

/** Instances of a service that one answer may bring: as many calls of a client share a request, and a value has up to 64 KiB. */
const FIRST_PAGE = 64;

/** Reads services from etcd: callers who want the same one share the reading. */
export class LinearizableReads {
  readonly #context: RegistryContext;
  readonly #reads = new Map<string, SharedRead<readonly ServiceInfo[]>>();

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** All instances that are not leaving, as etcd has them now. */
  async all(serviceName: string): Promise<readonly ServiceInfo[]> {
    const read = this.#reads.get(serviceName) ?? new SharedRead(() => this.#read(serviceName));
    this.#reads.set(serviceName, read);
    try {
      return await read.get();
    } finally {
      if (read.idle && this.#reads.get(serviceName) === read) this.#reads.delete(serviceName);
    }
  }

  async #read(serviceName: string): Promise<readonly ServiceInfo[]> {
    const { kv } = this.#context.client;
    const prefix = this.#context.keys.service(serviceName);
    const instances: ServiceInfo[] = [];
    const { kvs, more, revision } = await kv.range({ prefix }, { limit: FIRST_PAGE });
    for (const each of kvs) this.#add(instances, each);
    const last = kvs.at(-1);
    if (more && last !== undefined) {
      const start = Buffer.concat([last.rawKey, Buffer.of(0)]);
      const rest = kv.list({ start, end: prefixEnd(Buffer.from(prefix)) }, { revision });
      for await (const each of rest) this.#add(instances, each);
    }
    return instances;
  }

  #add(instances: ServiceInfo[], kv: KeyValue): void {
    try {
      const instance = this.#context.decode(kv);
      if (instance && !instance.leaving) instances.push(instance.info);
    } catch (error) {
      // Only the name: messages such as JSON.parse's quote the value.
      const reason = error instanceof Error ? error.name : typeof error;
      this.#context.logger.warn('value left out: it is no instance', { key: kv.key, reason });
    }
  }
}
