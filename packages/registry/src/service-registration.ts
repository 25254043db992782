import { randomUUID } from 'node:crypto';
import {
  assertValid,
  checkKeyPart,
  type IssueList,
  isArray,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import { isHost, isPort, parseHostPort } from './address.js';
import { HEALTH_STATUSES, type ServiceInfo, type ServiceRegistration } from './service-info.js';
import { encodeInstance, MAX_VALUE_BYTES } from './service-value.js';

/**
 * Checks what a caller wants to register and fills in the defaults.
 * @throws {ValidationError} naming everything that is wrong
 */
export function resolveRegistration(
  registration: ServiceRegistration,
  issues: IssueList,
  now: Date = new Date(),
): ServiceInfo {
  if (typeof registration !== 'object' || registration === null) {
    issues.push({ path: 'service', message: `must be an object, got ${show(registration)}` });
    assertValid(issues);
  }
  const copy = readInput('service', () => copyOf(issues, registration));
  const { name, id = randomUUID(), metadata = {}, health = 'healthy', weight = 1 } = copy;
  const { zone, version, tags } = copy;
  checkKeyPart(issues, 'service.name', name);
  checkKeyPart(issues, 'service.id', id);
  const { address, port } = checkAddress(issues, copy);
  checkMetadata(issues, metadata);
  checkHealth(issues, 'service.health', health);
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= MAX_WEIGHT)) {
    issues.push({
      path: 'service.weight',
      message: `must be a number from 0 to ${MAX_WEIGHT}, got ${show(weight)}`,
    });
  }
  checkText(issues, 'service.zone', zone);
  checkText(issues, 'service.version', version);
  checkTags(issues, tags);
  assertValid(issues);
  const info: ServiceInfo = Object.freeze({
    name,
    id,
    address,
    port,
    metadata: Object.freeze(metadata),
    health,
    weight,
    ...(zone !== undefined && { zone }),
    ...(version !== undefined && { version }),
    ...(tags !== undefined && { tags: Object.freeze(tags) }),
    registerTime: now,
    lastHeartbeat: now,
  });
  checkSize(issues, info);
  assertValid(issues);
  return info;
}

/** The sum of the weights of a service is to stay a number to reckon with. */
const MAX_WEIGHT = 1_000_000_000;

const NAMES = {
  name: true,
  id: true,
  address: true,
  port: true,
  metadata: true,
  health: true,
  weight: true,
  zone: true,
  version: true,
  tags: true,
} satisfies NamesOf<ServiceRegistration>;

/** Read once: what is checked is what is written. */
function copyOf(issues: IssueList, registration: ServiceRegistration): ServiceRegistration {
  const fields = readOptions(issues, registration, NAMES, 'service');
  const { metadata, tags } = fields;
  return {
    ...fields,
    metadata: isPlainObject(metadata) ? { ...metadata } : metadata,
    tags: isArray(tags) ? [...tags] : tags,
  };
}

/** Of any realm. A Map, for one, would be written as if it were empty. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export function checkHealth(issues: IssueList, path: string, health: unknown): IssueList {
  if (!HEALTH_STATUSES.some((status) => status === health)) {
    issues.push({ path, message: `must be one of ${HEALTH_STATUSES.join(', ')}, got ${show(health)}` });
  }
  return issues;
}

function checkAddress(
  issues: IssueList,
  { address, port }: ServiceRegistration,
): { address: string; port: number } {
  if (port !== undefined && !isPort(port)) {
    issues.push({ path: 'service.port', message: `must be an integer from 1 to 65535, got ${show(port)}` });
  }
  if (typeof address !== 'string') {
    issues.push({ path: 'service.address', message: `must be a string, got ${show(address)}` });
    return { address: '', port: 0 };
  }
  const combined = parseHostPort(address);
  if (combined) {
    if (port !== undefined && port !== combined.port) {
      issues.push({
        path: 'service.port',
        message: `is ${show(port)}, but the address says ${combined.port}`,
      });
    }
    return { address: combined.host, port: combined.port };
  }
  const host = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  if (!isHost(host)) {
    issues.push({
      path: 'service.address',
      message: `must be a host, "host:port" or "[ipv6]:port", got ${show(address)}`,
    });
  } else if (port === undefined) {
    issues.push({ path: 'service.port', message: 'is missing: give a port, or an address with one' });
  }
  return { address: host, port: port ?? 0 };
}

function checkMetadata(issues: IssueList, metadata: unknown): void {
  if (!isPlainObject(metadata)) {
    issues.push({ path: 'service.metadata', message: `must be a plain object, got ${show(metadata)}` });
    return;
  }
  for (const [name, value] of Object.entries(metadata)) {
    const path = `service.metadata.${name}`;
    if (!name.isWellFormed()) issues.push({ path, message: `has a name that is ${ILL_FORMED}` });
    if (typeof value !== 'string') issues.push({ path, message: `must be a string, got ${show(value)}` });
    else if (!value.isWellFormed()) issues.push({ path, message: `is ${ILL_FORMED}` });
  }
}

const ILL_FORMED = 'not well-formed Unicode (lone surrogate)';

function checkText(issues: IssueList, path: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'string' || value === '') {
    issues.push({ path, message: `must be a non-empty string, got ${show(value)}` });
  } else if (!value.isWellFormed()) issues.push({ path, message: `is ${ILL_FORMED}` });
}

function checkTags(issues: IssueList, tags: unknown): void {
  if (tags === undefined) return;
  if (!isArray(tags)) {
    issues.push({ path: 'service.tags', message: `must be an array of strings, got ${show(tags)}` });
    return;
  }
  for (const [index, tag] of tags.entries()) checkTag(issues, `service.tags[${index}]`, tag);
}

function checkTag(issues: IssueList, path: string, tag: unknown): void {
  if (typeof tag !== 'string') issues.push({ path, message: `must be a string, got ${show(tag)}` });
  else if (!tag.isWellFormed()) issues.push({ path, message: `is ${ILL_FORMED}` });
}

/** Room for the nonce and the generation. */
const AUTHORSHIP = { nonce: '0'.repeat(36), generation: Number.MAX_SAFE_INTEGER };

function checkSize(issues: IssueList, info: ServiceInfo): void {
  const bytes = Buffer.byteLength(encodeInstance(info, AUTHORSHIP));
  if (bytes > MAX_VALUE_BYTES) {
    issues.push({ path: 'service', message: `has ${bytes} bytes as JSON, more than ${MAX_VALUE_BYTES}` });
  }
}
