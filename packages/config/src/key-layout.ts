import type { Range } from '@coord/client';
import { checkKeyPart, type IssueList, prefixEnd, show } from '@coord/client/internal';
import { INTERNAL_ROOT } from './options.js';

/** Digits of a version in a history key, so that keys sort like versions. */
const VERSION_DIGITS = 12;
export const MAX_VERSION = 10 ** VERSION_DIGITS - 1;

/** Where the records of a config key are in etcd. */
export interface KeyLayout {
  /** The value itself: the only truth. */
  raw(key: string): string;
  /** Version, author, content type of the current value. */
  meta(key: string): string;
  /** One version of the past, or the current one. */
  history(key: string, version: number): string;
  /** The versions from `from` up to but without `to`. */
  historyRange(key: string, from: number, to: number): Range;
  /** The JSON Schema that values of this key have to fit. */
  schema(key: string): string;
  /** The record of a release. */
  release(id: string): string;
  /** The records of all releases. */
  readonly releases: Range;
  /** Every raw key below a config prefix; `''` = all. */
  rawBelow(prefix: string): { readonly start: string; readonly end: Uint8Array };
  metaBelow(prefix: string): Range;
  /** The config key of a raw etcd key; undefined when no config key leads there. */
  keyOf(etcdKey: string): string | undefined;
  /** The config key of a meta etcd key. */
  keyOfMeta(etcdKey: string): string;
}

export function createKeyLayout(keyPrefix: string): KeyLayout {
  const rawRoot = `${keyPrefix}/`;
  const metaRoot = `${INTERNAL_ROOT}${keyPrefix}/meta/`;
  const historyRoot = `${INTERNAL_ROOT}${keyPrefix}/hist/`;
  const schemaRoot = `${INTERNAL_ROOT}${keyPrefix}/schema/`;
  const releaseRoot = `${INTERNAL_ROOT}${keyPrefix}/rel/`;
  // No key has a segment "@", so one key's history is never below another's.
  const history = (key: string, version: number) =>
    `${historyRoot}${key}/@/${String(version).padStart(VERSION_DIGITS, '0')}`;
  const below = (root: string, prefix: string) => {
    const start = prefix === '' ? root : `${root}${prefix}/`;
    return { start, end: prefixEnd(Buffer.from(start)) };
  };
  return {
    raw: (key) => rawRoot + key,
    meta: (key) => metaRoot + key,
    history,
    historyRange: (key, from, to) => ({ start: history(key, from), end: history(key, to) }),
    schema: (key) => schemaRoot + key,
    release: (id) => releaseRoot + id,
    releases: { prefix: releaseRoot },
    rawBelow: (prefix) => below(rawRoot, prefix),
    metaBelow: (prefix) => below(metaRoot, prefix),
    keyOf(etcdKey) {
      const key = etcdKey.slice(rawRoot.length);
      const issues: IssueList = [];
      checkSegments(issues, 'key', key);
      return issues.length === 0 ? key : undefined;
    },
    keyOfMeta: (etcdKey) => etcdKey.slice(metaRoot.length),
  };
}

/** Drops one leading slash: `/app/db` and `app/db` are the same key, as in Go's `path.Join`. */
export function normalizeKey(issues: IssueList, key: unknown): string {
  if (typeof key !== 'string') {
    issues.push({ path: 'key', message: `must be a string, got ${show(key)}` });
    return '';
  }
  const normalized = key.startsWith('/') ? key.slice(1) : key;
  checkSegments(issues, 'key', normalized);
  return normalized;
}

/** Like a key, but it may be empty (everything) and may end with a slash. */
export function normalizePrefix(issues: IssueList, prefix: unknown): string {
  if (typeof prefix !== 'string') {
    issues.push({ path: 'prefix', message: `must be a string, got ${show(prefix)}` });
    return '';
  }
  const normalized = prefix.replace(/^\//, '').replace(/\/$/, '');
  if (normalized !== '') checkSegments(issues, 'prefix', normalized);
  return normalized;
}

/** Room is needed for the roots and the version; etcd itself has no limit, memory of every member has. */
const MAX_KEY_BYTES = 2048;

function checkSegments(issues: IssueList, path: string, key: string): void {
  for (const part of key.split('/')) checkKeyPart(issues, path, part);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    issues.push({ path, message: `must be at most ${MAX_KEY_BYTES} bytes` });
  }
}
