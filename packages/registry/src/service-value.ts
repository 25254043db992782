import type { KeyValue } from '@coord/client';
import { formatHostPort, type HostPort, isHost, isPort, parseHostPort } from './address.js';
import type { InstanceKey, ServiceCodec } from './service-codec.js';
import { HEALTH_STATUSES, type HealthStatus, type ServiceInfo } from './service-info.js';

/** Values of others are untrusted: beyond this size one is left out. Our own are refused. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** Who wrote a value: the registration (nonce), and its how many-th write this is. */
export interface Authorship {
  readonly nonce: string;
  /** From 1; 0 = the last write was somebody else's, such as an operator's health update. */
  readonly generation: number;
}

/** An instance as it is stored. */
export interface StoredInstance {
  readonly info: ServiceInfo;
  /** Its owner, or an operator, is deregistering it: it gets no more traffic. */
  readonly leaving: boolean;
  /** Absent when another program wrote it. */
  readonly author?: Authorship;
}

type JsonObject = Record<string, unknown>;

/**
 * The value of an instance.
 *
 * Read by Go's official resolver (`Op`, `Addr`, `Metadata`) and by the Go original (`id`, `name`,
 * `address`, `port`). Go matches JSON names without case, so no two names here may differ by case only.
 * @see https://github.com/etcd-io/etcd/blob/v3.5.16/client/v3/naming/endpoints/internal/update.go
 */
export function encodeInstance(info: ServiceInfo, author: Authorship): string {
  return JSON.stringify({
    Op: 0,
    Addr: formatHostPort(info.address, info.port),
    id: info.id,
    name: info.name,
    address: info.address,
    port: info.port,
    metadata: info.metadata,
    health: info.health,
    weight: info.weight,
    zone: info.zone,
    version: info.version,
    tags: info.tags,
    registerTime: info.registerTime.toISOString(),
    lastHeartbeat: info.lastHeartbeat.toISOString(),
    nonce: author.nonce,
    generation: author.generation,
  });
}

/**
 * Reads the value of an instance, whoever wrote it. Name and id are those of the key.
 * @throws {SyntaxError | RangeError} when it is no instance; the message never quotes the value
 */
export function decodeInstance(kv: KeyValue, serviceName: string, instanceId: string): StoredInstance {
  const fields = foldCase(parseObject(kv));
  const author = authorOf(fields);
  const info = infoOf(fields, { serviceName, instanceId });
  return { info, leaving: fields.get('leaving') === true, ...(author && { author }) };
}

/**
 * Reads the value of an instance that another system wrote, in its own way.
 * @returns undefined when the codec passes over it
 * @throws when it is no instance
 */
export function decodeForeign(
  kv: KeyValue,
  key: InstanceKey,
  codec: ServiceCodec,
): StoredInstance | undefined {
  assertSize(kv);
  const fields = codec.decode(kv.text(), key);
  return fields && { info: infoOf(foldCase({ ...fields }), key), leaving: false };
}

function infoOf(fields: ReadonlyMap<string, unknown>, { serviceName, instanceId }: InstanceKey): ServiceInfo {
  const { host, port } = addressOf(fields);
  return Object.freeze({
    name: serviceName,
    id: instanceId,
    address: host,
    port,
    metadata: Object.freeze(metadataOf(fields.get('metadata'))),
    health: healthOf(fields.get('health')),
    weight: weightOf(fields.get('weight')),
    ...optionalText('zone', fields.get('zone')),
    ...optionalText('version', fields.get('version')),
    ...tagsOf(fields.get('tags')),
    registerTime: dateOf(fields.get('registertime')),
    lastHeartbeat: dateOf(fields.get('lastheartbeat')),
  });
}

/** The value with some fields replaced and all others kept, also those that only their writer knows. */
export function patchValue(kv: KeyValue, patch: JsonObject): string {
  const object = parseObject(kv);
  for (const name of Object.keys(object)) {
    const replaced = Object.keys(patch).some((field) => field.toLowerCase() === name.toLowerCase());
    if (replaced) delete object[name];
  }
  return JSON.stringify({ ...object, ...patch });
}

function assertSize({ value }: KeyValue): void {
  if (value.length > MAX_VALUE_BYTES) {
    throw new RangeError(`value has ${value.length} bytes, more than ${MAX_VALUE_BYTES}`);
  }
}

function parseObject(kv: KeyValue): JsonObject {
  assertSize(kv);
  const parsed = parseJson(kv);
  if (!isObject(parsed)) throw new SyntaxError('value is not a JSON object');
  return parsed;
}

function parseJson(kv: KeyValue): unknown {
  try {
    return kv.json();
  } catch {
    throw new SyntaxError('value is not JSON'); // the parser's own message quotes the value
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Looks fields up as Go does: by exact name first, else without case. A Map, so `__proto__` is a name like any. */
function foldCase(object: JsonObject): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [name, value] of Object.entries(object)) {
    const folded = name.toLowerCase();
    if (!fields.has(folded) || OWN_NAMES.has(name)) fields.set(folded, value);
  }
  return fields;
}

const OWN_NAMES: ReadonlySet<string> = new Set([
  'Addr',
  'address',
  'port',
  'metadata',
  'health',
  'weight',
  'zone',
  'version',
  'tags',
  'registerTime',
  'lastHeartbeat',
  'nonce',
  'generation',
  'leaving',
]);

function addressOf(fields: ReadonlyMap<string, unknown>): HostPort {
  const address = fields.get('address');
  const port = fields.get('port');
  if (typeof address === 'string' && isHost(address) && isPort(port)) return { host: address, port };
  for (const candidate of [address, fields.get('addr')]) {
    const parsed = typeof candidate === 'string' ? parseHostPort(candidate) : undefined;
    if (parsed) return parsed;
  }
  throw new SyntaxError('value has no usable address: neither "address" and "port" nor "Addr"');
}

function authorOf(fields: ReadonlyMap<string, unknown>): Authorship | undefined {
  const nonce = fields.get('nonce');
  const generation = fields.get('generation');
  if (typeof nonce !== 'string') return undefined;
  return { nonce, generation: Number.isSafeInteger(generation) ? Number(generation) : 0 };
}

function metadataOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  // fromEntries defines own properties: a "__proto__" in there stays a mere name.
  return Object.fromEntries(Object.entries(value).flatMap(([name, text]) => textEntry(name, text)));
}

function textEntry(name: string, value: unknown): [string, string][] {
  if (typeof value === 'string') return [[name, value]];
  return typeof value === 'number' || typeof value === 'boolean' ? [[name, String(value)]] : [];
}

/** Absent (Go's resolver knows no health) = healthy; a number is Go's `iota`; not understood = unknown. */
function healthOf(value: unknown): HealthStatus {
  if (value === undefined || value === null) return 'healthy';
  if (typeof value === 'number') return HEALTH_STATUSES[value] ?? 'unknown';
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return HEALTH_STATUSES.find((status) => status === text) ?? 'unknown';
}

function weightOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 1;
}

function optionalText<K extends string>(name: K, value: unknown): { readonly [key in K]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [name]: value } as { [key in K]?: string }) : {};
}

function tagsOf(value: unknown): { readonly tags?: readonly string[] } {
  if (!Array.isArray(value)) return {};
  return { tags: Object.freeze(value.filter((tag): tag is string => typeof tag === 'string')) };
}

function dateOf(value: unknown): Date {
  const date = new Date(typeof value === 'string' ? value : 0);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}
