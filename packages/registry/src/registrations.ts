import { ConflictError, type KeyValue, NotFoundError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  checkPositiveMs,
  checkWaitOptions,
  type IssueList,
  monotonicNow,
  show,
} from '@coord/client/internal';
import { removeInstance } from './guarded-removal.js';
import { InstanceRegistration } from './instance-registration.js';
import { readKey } from './key-claim.js';
import type { Registration } from './registration.js';
import type { RegistryContext } from './registry-context.js';
import type { HealthStatus, ServiceRegistration } from './service-info.js';
import { checkHealth, resolveRegistration } from './service-registration.js';
import type { RegisterOptions } from './service-registry.js';
import { patchValue } from './service-value.js';

/** The registering half of a registry: what it has registered itself, and what it does to the instances of others. */
export class Registrations {
  readonly #context: RegistryContext;
  /** By key: the present registration, and earlier ones that were replaced and not yet deregistered. */
  readonly #registrations = new Map<string, Set<InstanceRegistration>>();

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  async register(service: ServiceRegistration, options?: RegisterOptions): Promise<Registration> {
    const issues = checkWaitOptions([], options);
    const { ttlMs = this.#context.config.ttlMs, signal, timeoutMs } = options ?? {};
    checkPositiveMs(issues, 'ttlMs', ttlMs);
    const info = resolveRegistration(service, issues);
    this.#context.assertOpen();
    const key = this.#context.keys.instance(info.name, info.id);
    const registration: InstanceRegistration = new InstanceRegistration(
      { client: this.#context.client, key, ttlMs, onEnd: () => this.#forget(key, registration) },
      info,
    );
    const known = this.#registrations.get(key) ?? new Set();
    this.#registrations.set(key, known.add(registration));
    try {
      await registration.start({ signal, timeoutMs });
    } catch (error) {
      this.#context.assertOpen(); // if close() has ended it, say so
      throw error;
    }
    if (this.#context.closed) {
      await registration[Symbol.asyncDispose]();
      this.#context.assertOpen();
    }
    return registration;
  }

  async deregister(serviceName: string, instanceId: string, options?: WaitOptions): Promise<void> {
    const issues = checkInstance(serviceName, instanceId);
    assertValid(checkWaitOptions(issues, options));
    this.#context.assertOpen();
    await this.#deregister(this.#context.keys.instance(serviceName, instanceId), options);
  }

  async unregister(instanceId: string, options?: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions(checkKeyPart([], 'instanceId', instanceId), options));
    this.#context.assertOpen();
    const own = [...this.#registrations.keys()].filter(
      (key) => this.#context.keys.parse(key)?.instanceId === instanceId,
    );
    const keys = own.length > 0 ? own : await this.#keysOf(instanceId, options);
    if (own.length === 0 && keys.length > 1) {
      const services = keys.map((key) => this.#context.keys.parse(key)?.serviceName).join(', ');
      throw new ConflictError(
        `instance ${show(instanceId)} exists in several services (${services}); use deregister(serviceName, instanceId)`,
        { key: keys.join(', ') },
      );
    }
    await Promise.all(keys.map((key) => this.#deregister(key, options)));
  }

  async updateHealth(
    serviceName: string,
    instanceId: string,
    status: HealthStatus,
    options?: WaitOptions,
  ): Promise<void> {
    const issues = checkHealth(checkInstance(serviceName, instanceId), 'status', status);
    assertValid(checkWaitOptions(issues, options));
    this.#context.assertOpen();
    const key = this.#context.keys.instance(serviceName, instanceId);
    const own = [...(this.#registrations.get(key) ?? [])].findLast(
      ({ state }) => state === 'registered' || state === 'recovering',
    );
    const startedAt = monotonicNow();
    if (own) await own.updateHealth(status, options);
    else await this.#patchHealth(key, status, options);
    const durationMs = Math.round(monotonicNow() - startedAt);
    this.#context.logger.info('instance health updated', { key, status, durationMs });
  }

  #forget(key: string, registration: InstanceRegistration): void {
    // A replaced one is remembered: deregistering it must not take out its successor.
    const known = this.#registrations.get(key);
    const replaced = registration.state === 'superseded' && known?.size === 1;
    if (!replaced) known?.delete(registration);
    if (known?.size === 0) this.#registrations.delete(key);
  }

  async #deregister(key: string, options: WaitOptions | undefined): Promise<void> {
    const own = this.#registrations.get(key);
    if (own !== undefined) {
      const present = [...own];
      await Promise.all(present.map((registration) => registration.deregister(options)));
      for (const registration of present) own.delete(registration);
      if (own.size === 0) this.#registrations.delete(key);
      return;
    }
    const startedAt = monotonicNow();
    using wait = this.#context.wait(options, `deregister ${key}`);
    let owner: { nonce: string | undefined; createRevision: bigint } | undefined;
    const isTheOneSeenFirst = (kv: KeyValue) => {
      const nonce = readKey(kv).instance?.author?.nonce;
      owner ??= { nonce, createRevision: kv.createRevision };
      return owner.createRevision === kv.createRevision && owner.nonce === nonce;
    };
    try {
      const outcome = await removeInstance(this.#context.client.kv, key, isTheOneSeenFirst, {
        signal: wait.signal,
      });
      const durationMs = Math.round(monotonicNow() - startedAt);
      this.#context.logger.info('instance deregistered', { key, outcome, durationMs });
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  async #keysOf(instanceId: string, options: WaitOptions | undefined): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#context.client.kv.list(
      { prefix: this.#context.keys.prefix },
      { ...options, keysOnly: true },
    )) {
      if (this.#context.keys.parse(key)?.instanceId === instanceId) keys.push(key);
    }
    return keys;
  }

  async #patchHealth(key: string, status: HealthStatus, options: WaitOptions | undefined): Promise<void> {
    using wait = this.#context.wait(options, `update the health of ${key}`);
    const call = { signal: wait.signal, idempotent: true };
    try {
      let kv = await this.#context.client.kv.get(key, call);
      for (;;) {
        const { instance } = kv ? readKey(kv) : { instance: undefined };
        if (kv === undefined || instance === undefined || instance.leaving) {
          throw new NotFoundError(`there is no instance at ${key}`, { key });
        }
        if (instance.info.health === status) return;
        const value = patchValue(kv, { health: status, ...(instance.author && { generation: 0 }) });
        const result = await this.#context.client.kv.txn(
          {
            compare: [{ key, target: 'mod', is: '=', to: kv.modRevision }],
            success: [{ put: { key, value, ignoreLease: true } }],
            failure: [{ get: key }],
          },
          call,
        );
        if (result.succeeded) return;
        const read = result.responses[0];
        kv = read?.type === 'get' ? read.kvs[0] : undefined;
      }
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  /** Deregisters what this registry has registered. */
  async close(options: WaitOptions): Promise<void> {
    const registrations = [...this.#registrations.values()].flatMap((known) => [...known]);
    await Promise.allSettled(registrations.map((registration) => registration.deregister(options)));
  }
}

function checkInstance(serviceName: string, instanceId: string): IssueList {
  return checkKeyPart(checkKeyPart([], 'serviceName', serviceName), 'instanceId', instanceId);
}
