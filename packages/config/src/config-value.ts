import { ValidationError } from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigStore } from './config-store.js';
import { type KeyState, lastVersion, type RawValue } from './key-state.js';
import { applySchema } from './schema.js';

/** A value with its version, both of one moment. */
export interface ConfigValue<T = unknown> {
  readonly key: string;
  /** The caller's own copy. */
  readonly value: T;
  /** Counts the writes to this key from 1, also over deletes; 0 = never written through Coord. */
  readonly version: number;
  /** etcd's `mod_revision` of the raw key. */
  readonly revision: bigint;
  /** True: last written by others (etcdctl, Go); `version` is then the last one written through Coord. */
  readonly external: boolean;
  /** When the key was created, or created again. The epoch for a key never written through Coord. */
  readonly createTime: Date;
  /** When the value was last written through Coord; etcd itself keeps no times. */
  readonly updateTime: Date;
  readonly metadata: Readonly<Record<string, string>>;
  /** For `JSON.stringify`: bigint as decimal strings, bytes as base64. */
  toJSON(): Record<string, unknown>;
}

/** @throws {ValidationError} naming the key, when the value cannot be read or does not fit the schema */
export async function readConfigValue(
  store: ConfigStore,
  key: string,
  raw: RawValue,
  state: KeyState,
  schema: StandardSchemaV1 | undefined,
): Promise<ConfigValue> {
  const stored = decodeConfigValue(store, key, raw, state);
  if (schema === undefined) return stored;
  try {
    return makeConfigValue(key, raw.modRevision, state, await applySchema(schema, stored.value));
  } catch (error) {
    throw namingTheKey(error, key, raw.modRevision);
  }
}

/** @throws {ValidationError} naming the key, when the value cannot be read */
export function decodeConfigValue(
  { keyring }: ConfigStore,
  key: string,
  raw: RawValue,
  state: KeyState,
): ConfigValue {
  try {
    const type = state.external ? 'auto' : (state.meta?.contentType ?? 'auto');
    const value = keyring.decode(key, { type, bytes: raw.value });
    return makeConfigValue(key, raw.modRevision, state, value);
  } catch (error) {
    throw namingTheKey(error, key, raw.modRevision);
  }
}

export function makeConfigValue<T>(key: string, revision: bigint, state: Origin, value: T): ConfigValue<T> {
  return new StoredConfigValue(key, revision, state, value);
}

type Origin = Pick<KeyState, 'meta' | 'external'>;

class StoredConfigValue<T> implements ConfigValue<T> {
  readonly key: string;
  readonly value: T;
  readonly version: number;
  readonly revision: bigint;
  readonly external: boolean;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(key: string, revision: bigint, state: Origin, value: T) {
    this.key = key;
    this.value = value;
    this.version = lastVersion(state);
    this.revision = revision;
    this.external = state.external;
    this.createTime = new Date(state.meta?.createTime ?? 0);
    this.updateTime = new Date(state.meta?.updateTime ?? 0);
    this.metadata = this.external ? {} : { ...state.meta?.metadata };
  }

  toJSON(): Record<string, unknown> {
    const fields = Object.fromEntries<unknown>(Object.entries(this));
    return { ...fields, value: plainJson(this.value), revision: this.revision.toString() };
  }
}

function namingTheKey(error: unknown, key: string, revision: bigint): unknown {
  if (!(error instanceof ValidationError)) return error;
  const where = `(config "${key}" at revision ${revision})`;
  return new ValidationError(
    error.issues.map((issue) => ({ path: issue.path, message: `${issue.message} ${where}` })),
    { cause: error.cause },
  );
}

/** The same value with everything that JSON lacks in a readable form. */
export function plainJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plainJson(member)]));
}
