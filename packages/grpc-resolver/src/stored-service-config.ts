import { ValidationError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  readOptions,
  WAIT_NAMES,
} from '@coord/client/internal';
import type { ServiceRegistry } from '@coord/registry';
import { registryInternalsOf, type ServiceConfigStore } from '@coord/registry/internal';
import * as defaultGrpc from '@grpc/grpc-js';
import { checkGrpc } from './check-grpc.js';
import { checkServiceConfig } from './check-service-config.js';
import type { GrpcModule, ServiceConfigJson } from './grpc-adapter.js';
import { registerPolicies } from './register-policies.js';
import type { ServiceConfig } from './service-config.js';
import { toJson } from './to-json.js';

export interface StoreOptions extends WaitOptions {
  /** The copy of `@grpc/grpc-js` by whose policies the config is checked. @default the one this package finds */
  readonly grpc?: GrpcModule | undefined;
}

const NAMES = { ...WAIT_NAMES, grpc: true } satisfies NamesOf<StoreOptions>;

/** A service config beside its service, in etcd. */
export interface ServiceConfigEntry {
  readonly config: ServiceConfig;
  /** The etcd revision that it was written at. */
  readonly revision: bigint;
  /** With the revision as a decimal string. */
  toJSON(): object;
}

/** Beyond this a stored config is refused, here and where it is read. */
const MAX_BYTES = 64 * 1024;

/**
 * Stores a service config beside a service: all connections to it, present and future, go by it from then on,
 * where their own options leave it open. Nobody reconnects. It replaces the one before as a whole.
 * @throws {ValidationError} naming everything that is wrong with it; nothing is written then
 * @throws {TimeoutError | ConnectionError} when etcd did not answer; `outcome: 'unknown'` = it may be stored
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { setServiceConfig } from '@coord/grpc-resolver';
 * import { createRegistry } from '@coord/registry';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const registry = createRegistry(client);
 * await setServiceConfig(registry, 'user-service', {
 *   methodConfig: [{ name: [{ service: 'users.Users', method: 'Get' }], timeout: '0.5s' }],
 * });
 * await registry.close();
 * await client.close();
 * ```
 */
export async function setServiceConfig(
  registry: ServiceRegistry,
  serviceName: string,
  config: ServiceConfig,
  options?: StoreOptions,
): Promise<ServiceConfigEntry> {
  const issues: IssueList = [];
  const { store, grpc, wait } = check(issues, registry, serviceName, options);
  const text = toJson('serviceConfig', config);
  const copy = checked(issues, grpc, Buffer.from(text));
  return entry(copy, await store.write(serviceName, text, wait));
}

/**
 * The service config that is stored beside a service, as etcd has it now.
 * @returns undefined when there is none
 * @throws {ValidationError} when what is stored is wrong: connections pass it over, and keep to the last good one
 */
export async function getServiceConfig(
  registry: ServiceRegistry,
  serviceName: string,
  options?: StoreOptions,
): Promise<ServiceConfigEntry | undefined> {
  const issues: IssueList = [];
  const { store, grpc, wait } = check(issues, registry, serviceName, options);
  assertValid(issues);
  const stored = await store.read(serviceName, wait);
  return stored && entry(parseServiceConfig(grpc, stored.value), stored.revision);
}

/** Takes away what is stored beside a service: connections go by their own options again. Nothing there = nothing to do. */
export async function deleteServiceConfig(
  registry: ServiceRegistry,
  serviceName: string,
  options?: WaitOptions,
): Promise<void> {
  const issues: IssueList = [];
  checkWaitOptions(issues, options);
  const { store, wait } = check(issues, registry, serviceName, options);
  assertValid(issues);
  await store.delete(serviceName, wait);
}

/** @throws {ValidationError} when it is no service config; the message never quotes it as a whole */
export function parseServiceConfig(grpc: GrpcModule, value: Uint8Array): ServiceConfigJson {
  return checked([], grpc, value);
}

function checked(issues: IssueList, grpc: GrpcModule, value: Uint8Array): ServiceConfigJson {
  const path = 'serviceConfig';
  if (value.length > MAX_BYTES) {
    issues.push({ path, message: `has ${value.length} bytes as JSON, more than ${MAX_BYTES}` });
  }
  assertValid(issues);
  const config = fromJson(value);
  registerPolicies(grpc);
  checkServiceConfig(issues, grpc, path, config);
  assertValid(issues);
  return config;
}

function fromJson(value: Uint8Array): ServiceConfigJson {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    throw new ValidationError([{ path: 'serviceConfig', message: 'is not JSON' }]); // the parser would quote it
  }
}

function check(
  issues: IssueList,
  registry: ServiceRegistry,
  serviceName: string,
  options: StoreOptions | undefined,
): { readonly store: ServiceConfigStore; readonly grpc: GrpcModule; readonly wait: WaitOptions } {
  checkKeyPart(issues, 'serviceName', serviceName);
  const { grpc = defaultGrpc, ...wait } = readOptions(issues, options, NAMES);
  checkWaitFields(issues, wait);
  checkGrpc(issues, grpc);
  const internals = registryInternalsOf(registry);
  if (internals === undefined) {
    issues.push({ path: 'registry', message: 'must be made by createRegistry()' });
    throw new ValidationError(issues);
  }
  return { store: internals.serviceConfigs, grpc, wait };
}

function entry(config: ServiceConfig, revision: bigint): ServiceConfigEntry {
  return { config, revision, toJSON: () => ({ config, revision: String(revision) }) };
}
