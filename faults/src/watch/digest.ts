import { createHash } from 'node:crypto';
import type { EtcdEvent } from '../etcd-event.js';

/** What etcd's log and a watcher can both say of a change. A delete has no value and no `createRevision`. */
export type Change = Pick<EtcdEvent, 'type' | 'key' | 'value' | 'createRevision' | 'revision'>;

/**
 * Histories hold digests: millions of events would be gigabytes. Two that differ in anything, also in the
 * order of the changes, have the same one by accident once in 2^96.
 */
export function digestOf(changes: readonly (Change | undefined)[]): string {
  return hash(changes.map((change) => change && fieldsOf(change)))
    .subarray(0, 12)
    .toString('base64url');
}

/** What stands for a state does so in the order of its keys. */
export function inOrderOfKeys<T extends Change>(changes: readonly T[]): T[] {
  return [...changes].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Sums are of 48 bits. */
const MODULUS = 2 ** 48;

/** A key's part in the sum of a state. */
export function weightOf(change: Change): number {
  return hash(fieldsOf(change)).readUIntBE(0, 6);
}

/** The sum of a state is that of its keys, in any order: a change of one key costs no look at the others. */
export function plus(sum: number, weight: number): number {
  return (sum + weight) % MODULUS;
}

export function minus(sum: number, weight: number): number {
  return (sum - weight + MODULUS) % MODULUS;
}

function fieldsOf({ type, key, value, createRevision, revision }: Change): readonly unknown[] {
  return [type, key, value, createRevision, revision];
}

function hash(what: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(what)).digest();
}
