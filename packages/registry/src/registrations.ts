import { ConflictError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  checkPositiveMs,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  monotonicNow,
  type NamesOf,
  readInput,
  readOptions,
  show,
  WAIT_NAMES,
} from '@coord/client/internal';
import { checkDrainOptions, type DrainOptions } from './drain-options.js';
import { findKeys, patchHealth, removeForeign } from './foreign-instances.js';
import { type ResolvedHealthCheck, resolveHealthCheck } from './health-check.js';
import { InstanceRegistration } from './instance-registration.js';
import { assertNotAborted } from './not-aborted.js';
import { OwnRegistrations } from './own-registrations.js';
import type { Registration } from './registration.js';
import type { RegistryContext } from './registry-context.js';
import type { HealthStatus, ServiceRegistration } from './service-info.js';
import { checkHealth, resolveRegistration } from './service-registration.js';
import type { RegisterOptions } from './service-registry.js';

const REGISTER_NAMES = { ...WAIT_NAMES, ttlMs: true, check: true } satisfies NamesOf<RegisterOptions>;

/** The registering half of a registry: what it has registered itself, and what it does to the instances of others. */
export class Registrations {
  readonly #context: RegistryContext;
  readonly #own = new OwnRegistrations();

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  async register(service: ServiceRegistration, options?: RegisterOptions): Promise<Registration> {
    const issues: IssueList = [];
    const read = readOptions(issues, options, REGISTER_NAMES);
    const { ttlMs = this.#context.config.ttlMs, signal, timeoutMs } = read;
    checkWaitFields(issues, read);
    checkPositiveMs(issues, 'ttlMs', ttlMs);
    const check = readInput('check', () => resolveHealthCheck(issues, read.check));
    const info = resolveRegistration(service, issues);
    this.#context.assertOpen();
    const { client, keys } = this.#context;
    const key = keys.instance(info.name, info.id);
    assertNotAborted(`register ${key}`, { signal });
    const registration: InstanceRegistration = new InstanceRegistration(
      { client, key, ttlMs, onEnd: () => this.#own.ended(key, registration) },
      info,
    );
    this.#own.add(key, registration);
    try {
      await registration.start({ signal, timeoutMs });
      this.#own.established(key, registration);
    } catch (error) {
      this.#context.assertOpen(); // if close() has ended it, say so
      throw error;
    }
    if (this.#context.closed) {
      await registration[Symbol.asyncDispose]();
      this.#context.assertOpen();
    }
    this.#check(registration, key, check);
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
    const { keys } = this.#context;
    const own = this.#own.keys().filter((key) => keys.parse(key)?.instanceId === instanceId);
    const found = own.length > 0 ? own : await findKeys(this.#context, instanceId, options);
    if (own.length === 0 && found.length > 1) {
      const services = found.map((key) => keys.parse(key)?.serviceName).join(', ');
      throw new ConflictError(
        `instance ${show(instanceId)} exists in several services (${services}); use deregister(serviceName, instanceId)`,
        { key: found.join(', ') },
      );
    }
    await Promise.all(found.map((key) => this.#deregister(key, options)));
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    assertValid(checkDrainOptions([], options));
    this.#context.assertOpen();
    assertNotAborted('drain', options);
    const outcomes = await Promise.allSettled(this.#own.all().map((own) => own.drain(options)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
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
    const own = this.#own.of(key).findLast(({ state }) => state === 'registered' || state === 'recovering');
    const startedAt = monotonicNow();
    if (own) await own.updateHealth(status, options);
    else if (this.#own.isTakenOver(key)) throw takenOver(key);
    else await patchHealth(this.#context, key, status, options);
    const durationMs = Math.round(monotonicNow() - startedAt);
    this.#context.logger.info('instance health updated', { key, status, durationMs });
  }

  /** Deregisters what this registry has registered. */
  async close(options: WaitOptions): Promise<void> {
    const all = this.#own.all();
    await Promise.allSettled(all.map((registration) => registration.leave(options)));
    for (const registration of all) registration.hurry(); // a drain that is still under way has had its time
  }

  #check(registration: InstanceRegistration, key: string, check: ResolvedHealthCheck | undefined): void {
    if (check === undefined) return;
    const { logger, config } = this.#context;
    if (config.enableHealthCheck) registration.keepChecking(check, config.healthCheckIntervalMs);
    else logger.info('instance not checked: enableHealthCheck is off', { key });
  }

  async #deregister(key: string, options: WaitOptions | undefined): Promise<void> {
    const own = this.#own.of(key);
    if (own.length > 0) await Promise.all(own.map((registration) => registration.deregister(options)));
    else if (!this.#own.isTakenOver(key)) await removeForeign(this.#context, key, options);
  }
}

function checkInstance(serviceName: string, instanceId: string): IssueList {
  return checkKeyPart(checkKeyPart([], 'serviceName', serviceName), 'instanceId', instanceId);
}

function takenOver(key: string): ConflictError {
  return new ConflictError(`${key} has been registered by somebody else since`, { key });
}
