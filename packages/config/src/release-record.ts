import type { KeyValue } from '@coord/client';
import type { IssueList } from '@coord/client/internal';
import { isPlainObject } from './json-encode.js';
import { normalizeKey } from './key-layout.js';
import { parseRecord, recordedDate } from './meta.js';
import type { ConfigRelease, ReleaseChange } from './release-types.js';

/** What is stored of a release. Its id is made anew for each, so it also tells whether it was written. */
export type ReleaseRecord = Omit<ConfigRelease, 'revision' | 'toJSON'>;

export function encodeRelease({ id, time, author, comment, reverts, changes }: ReleaseRecord): string {
  return JSON.stringify({
    id,
    at: time.toISOString(),
    by: author,
    msg: comment,
    reverts,
    keys: changes.map(({ key, operation, from, to }) => ({ key, op: operation, from, to })),
  });
}

/** Undefined when it is not a record that we wrote. */
export function decodeRelease(kv: KeyValue): ConfigRelease | undefined {
  const record = parseRecord(kv.text());
  if (!isPlainObject(record)) return undefined;
  const { id, at, by, msg, reverts, keys } = record;
  if (typeof id !== 'string' || !Array.isArray(keys)) return undefined;
  const changes = keys.map(decodeChange);
  if (!changes.every((change) => change !== undefined)) return undefined;
  return new StoredRelease(
    {
      id,
      time: recordedDate(at),
      author: typeof by === 'string' ? by : undefined,
      comment: typeof msg === 'string' ? msg : undefined,
      reverts: typeof reverts === 'string' ? reverts : undefined,
      changes,
    },
    kv.createRevision,
  );
}

function decodeChange(change: unknown): ReleaseChange | undefined {
  if (!isPlainObject(change)) return undefined;
  const { key, op, from, to } = change;
  const issues: IssueList = [];
  if (normalizeKey(issues, key) !== key || issues.length > 0) return undefined;
  if (!isVersion(from) || !isVersion(to)) return undefined;
  return { key, operation: op === 'delete' || op === 'rollback' ? op : 'put', from, to };
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export class StoredRelease implements ConfigRelease {
  readonly id: string;
  readonly revision: bigint;
  readonly time: Date;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly reverts: string | undefined;
  readonly changes: readonly ReleaseChange[];

  constructor(record: ReleaseRecord, revision: bigint) {
    this.id = record.id;
    this.revision = revision;
    this.time = record.time;
    this.author = record.author;
    this.comment = record.comment;
    this.reverts = record.reverts;
    this.changes = record.changes;
  }

  toJSON(): Record<string, unknown> {
    return { ...Object.fromEntries<unknown>(Object.entries(this)), revision: this.revision.toString() };
  }
}
