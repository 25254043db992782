import type { ConfigStore } from './config-store.js';
import { plainJson } from './config-value.js';
import { type ConfigOperation, decodeHistoryEntry, decodeMeta, type HistoryEntry } from './meta.js';

/** One version of a key, as the history has it. */
export interface ConfigVersion {
  readonly version: number;
  /** `adopt`: written by others and taken into the history by the write after it. */
  readonly operation: ConfigOperation;
  /** True: in this version the key is absent. */
  readonly deleted: boolean;
  /** Absent after a deletion, and where `unreadable` says why. */
  readonly value: unknown;
  /** Why there is no value: too large to be adopted, or not decodable. */
  readonly unreadable: string | undefined;
  /** The etcd revision at which this version was recorded. */
  readonly revision: bigint;
  readonly updateTime: Date;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The version that a rollback brought back. */
  readonly from: number | undefined;
  /** The release that made this version. */
  readonly releaseId: string | undefined;
  /** For `JSON.stringify`: bigint as decimal strings, bytes as base64. */
  toJSON(): Record<string, unknown>;
}

/** Values can be large: so many at a time. */
const PAGE_SIZE = 16;

/** The newest versions of a key, newest first. */
export async function readHistory(
  store: ConfigStore,
  key: string,
  limit: number,
  signal: AbortSignal,
): Promise<ConfigVersion[]> {
  const { client, layout } = store;
  const metaKv = await client.kv.get(layout.meta(key), { signal });
  const newest = (metaKv && decodeMeta(metaKv.text())?.version) ?? 0;
  const versions: ConfigVersion[] = [];
  let to = newest + 1;
  while (to > 1 && versions.length < limit) {
    const from = Math.max(1, to - Math.min(PAGE_SIZE, limit - versions.length));
    const { kvs } = await client.kv.range(layout.historyRange(key, from, to), { signal });
    if (kvs.length === 0) break; // pruned from here on
    for (const kv of [...kvs].reverse()) {
      const entry = decodeHistoryEntry(kv.value);
      if (entry !== undefined)
        versions.push(new StoredConfigVersion(entry, kv.createRevision, readValue(store, key, entry)));
    }
    to = from;
  }
  return versions;
}

class StoredConfigVersion implements ConfigVersion {
  readonly version: number;
  readonly operation: ConfigOperation;
  readonly deleted: boolean;
  readonly value: unknown;
  readonly unreadable: string | undefined;
  readonly revision: bigint;
  readonly updateTime: Date;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly from: number | undefined;
  readonly releaseId: string | undefined;

  constructor({ meta }: HistoryEntry, revision: bigint, { value, unreadable }: ReadValue) {
    this.version = meta.version;
    this.operation = meta.operation;
    this.deleted = meta.contentType === undefined;
    this.value = value;
    this.unreadable = unreadable;
    this.revision = revision;
    this.updateTime = meta.updateTime;
    this.author = meta.author;
    this.comment = meta.comment;
    this.metadata = meta.metadata;
    this.from = meta.from;
    this.releaseId = meta.release;
  }

  toJSON(): Record<string, unknown> {
    const fields = Object.fromEntries<unknown>(Object.entries(this));
    return { ...fields, value: plainJson(this.value), revision: this.revision.toString() };
  }
}

interface ReadValue {
  readonly value?: unknown;
  readonly unreadable?: string;
}

/** A version that cannot be read must not hide the others. */
function readValue({ keyring }: ConfigStore, key: string, { meta, bytes }: HistoryEntry): ReadValue {
  if (meta.contentType === undefined) return {};
  if (meta.omitted) return { unreadable: 'was too large to be kept' };
  try {
    return { value: keyring.decode(key, { type: meta.contentType, bytes }) };
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}
