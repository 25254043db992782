import { randomUUID } from 'node:crypto';
import { checkKeyPart, type IssueList, show } from '@coord/client/internal';

/** Where the queues of mutexes are, which other programs may share. */
export interface QueueLayout {
  readonly keyPrefix: string;
  /** Whether slashes of a name stay what they are. */
  readonly rawNames: boolean;
}

/** Where everything is that is no mutex's queue. */
const OWN_ROOT = '/coord';
/** Abort marks live apart from the queues, so that nobody ever waits for one. */
const ABORT_PREFIX = `${OWN_ROOT}/locks/abort`;

/** The keys that one contender writes: unique to this attempt, so none is ever created twice on purpose. */
export interface EntryKeys {
  /** The lock's name, as the user gave it. */
  readonly name: string;
  /** Written in one transaction, so at one revision. The first stands for the lock where one must. */
  readonly etcdKeys: readonly [string, ...string[]];
  /** Once this key exists, a late enqueue of the contender fails. */
  readonly abortKey: string;
}

/** A contender's keys, and whom it waits for. */
export interface Place extends EntryKeys {
  /** It waits for the newest older key under each of these prefixes, and for nobody else. */
  readonly lanes: readonly [string, ...string[]];
  /** The prefix whose oldest key certainly holds the lock, if there is such a one. */
  readonly holderLane?: string;
}

/**
 * The layout of Go's `concurrency.Mutex` and of `etcdctl lock <keyPrefix>/<name>`: every key under
 * the prefix is a contender, and the lowest create revision holds the lock.
 */
export function mutexPlace(layout: QueueLayout, name: string, leaseId: bigint): Place {
  const { id, abortKey } = newEntryId(leaseId);
  const prefix = queuePrefix(layout, name);
  return { name, etcdKeys: [`${prefix}${id}`], abortKey, lanes: [prefix], holderLane: prefix };
}

/** Where the folders of all read/write locks are. */
export function readWriteRoot(keyPrefix: string): string {
  return `${OWN_ROOT}${keyPrefix}/rw/`;
}

/** Where the folders of all semaphores are. */
export function semaphoreRoot(keyPrefix: string): string {
  return `${OWN_ROOT}${keyPrefix}/sem/`;
}

/** The folders of a name's read and write requests, with their trailing slashes. */
export function readWriteFolders(keyPrefix: string, name: string): { q: string; w: string } {
  const folder = `${readWriteRoot(keyPrefix)}${escapeName(name)}/`;
  return { q: `${folder}q/`, w: `${folder}w/` };
}

/**
 * Every request is in `q`, writers also in `w`, written at one revision. A reader waits for the
 * writers before it, a writer for everybody before it.
 */
export function readWritePlace(
  keyPrefix: string,
  name: string,
  mode: 'read' | 'write',
  leaseId: bigint,
): Place {
  const { q, w } = readWriteFolders(keyPrefix, name);
  const { id, abortKey } = newEntryId(leaseId);
  return mode === 'read'
    ? { name, etcdKeys: [`${q}${id}`], abortKey, lanes: [w], holderLane: q }
    : { name, etcdKeys: [`${q}${id}`, `${w}${id}`], abortKey, lanes: [q], holderLane: q };
}

/** Where a semaphore's requests are, and the key that says how many permits there are. */
export function semaphoreFolders(
  keyPrefix: string,
  name: string,
): { folder: string; q: string; limitKey: string } {
  const folder = `${semaphoreRoot(keyPrefix)}${escapeName(name)}/`;
  return { folder, q: `${folder}q/`, limitKey: `${folder}limit` };
}

/** Several names for people, so not too long. */
export function titleOf(names: readonly string[]): string {
  return names.length <= 4
    ? names.join(', ')
    : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

/** One key in the queue of every name, written at one revision: so whoever is first somewhere is so everywhere. */
export function multiPlace(
  layout: QueueLayout,
  names: readonly [string, ...string[]],
  leaseId: bigint,
): Place {
  const { id, abortKey } = newEntryId(leaseId);
  const [first, ...others] = names.map((name) => queuePrefix(layout, name));
  if (first === undefined) throw new TypeError('no names');
  const lanes = [first, ...others] as const;
  return {
    name: titleOf(names),
    etcdKeys: [`${first}${id}`, ...others.map((prefix) => `${prefix}${id}`)],
    abortKey,
    lanes: [...lanes],
  };
}

/** `<lease id hex>-<nonce>`, the last part of a contender's keys, and the abort mark that goes with it. */
export function newEntryId(leaseId: bigint): { id: string; abortKey: string } {
  const nonce = randomUUID();
  return { id: `${leaseId.toString(16)}-${nonce}`, abortKey: `${ABORT_PREFIX}/${nonce}` };
}

/** The prefix of all contenders of a name, with its trailing slash. */
export function queuePrefix({ keyPrefix, rawNames }: QueueLayout, name: string): string {
  return `${keyPrefix}/${rawNames ? name : escapeName(name)}/`;
}

/** `a` and `a/b` must not share a prefix, or they would block each other. */
export function escapeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

/** The name that was escaped so. */
export function unescapeName(escaped: string): string {
  return escaped.replaceAll('%2F', '/').replaceAll('%25', '%');
}

export function checkLockName(issues: IssueList, path: string, name: unknown): IssueList {
  // A slash is welcome here, since it is escaped; every other rule for key parts holds.
  return checkKeyPart(issues, path, typeof name === 'string' ? name.replaceAll('/', '_') : name);
}

/** The name of a mutex. Raw, its slashes part the key, so every part is checked. */
export function checkQueueName(
  issues: IssueList,
  path: string,
  name: unknown,
  { rawNames }: Pick<QueueLayout, 'rawNames'>,
): IssueList {
  if (!rawNames || typeof name !== 'string') return checkLockName(issues, path, name);
  for (const part of name.split('/')) {
    if (checkKeyPart([], path, part).length > 0) return checkKeyPart(issues, path, part);
  }
  return checkLockName(issues, path, name);
}

export function checkKeyPrefix(issues: IssueList, path: string, prefix: unknown): IssueList {
  const message = keyPrefixProblem(prefix);
  if (message !== undefined) issues.push({ path, message });
  return issues;
}

function keyPrefixProblem(prefix: unknown): string | undefined {
  if (typeof prefix !== 'string' || !prefix.startsWith('/')) {
    return `must be a string that starts with "/", got ${show(prefix)}`;
  }
  if (prefix.endsWith('/')) return `must not end with "/", got ${show(prefix)}`;
  if (`${prefix}/`.startsWith(`${OWN_ROOT}/`)) {
    return `must not be in ${OWN_ROOT}, where read/write locks, semaphores and abort marks are, got ${show(prefix)}`;
  }
  const issues: IssueList = [];
  for (const part of prefix.slice(1).split('/')) checkKeyPart(issues, '', part);
  return issues[0] === undefined ? undefined : `has a bad part: ${issues[0].message}`;
}
