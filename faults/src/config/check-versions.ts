import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import type { Violation } from '../violation.js';
import { objectOf, type Past, pastsOf, type Step, stepsOf } from './config-log.js';
import { HISTORY_DEPTH, keyOfMeta, keyOfRaw, pastOf } from './config-names.js';
import type { ConfigOperation } from './config-operations.js';

const MARK_OF_SECRETS = 'coord:sealed:';

/**
 * C4: each version of a key is written once, after the one before it, together with the value and its record; a
 * rollback is a version of its own; of the old ones only those that are too many are dropped.
 */
export function checkVersions(history: readonly ConfigOperation[], log: readonly EtcdEvent[]): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'C4', what });
  const keys = new Map<string, KeptVersions>();
  for (const step of stepsOf(log)) {
    const pasts = pastsOf(step);
    for (const past of pasts) {
      const kept = keys.get(past.key) ?? new KeptVersions(past.key);
      keys.set(past.key, kept);
      for (const what of kept.add(past)) complain(what);
    }
    for (const { type, key: etcdKey } of step.events) {
      const past = type === 'delete' ? pastOf(etcdKey) : undefined;
      const what = past && keys.get(past.key)?.drop(past.version);
      if (what !== undefined) complain(what);
    }
    for (const what of checkTogether(step, pasts)) complain(what);
  }
  for (const kept of keys.values())
    if (kept.count > HISTORY_DEPTH) complain(`${kept.key} has ${kept.count} versions in the end`);
  for (const { process, name, input, output } of history) {
    if (name !== 'history' || output === undefined) continue;
    const { versions } = output;
    const isRow = versions.every((version, i) => i === 0 || versions[i - 1] === version + 1);
    if (!isRow || versions.length > HISTORY_DEPTH)
      complain(`${process} was told that ${input.key} has the versions ${versions.join(', ')}`);
  }
  return violations;
}

/** The versions of a key. */
class KeptVersions {
  readonly key: string;
  readonly #kept = new Map<number, Past>();
  #newest = 0;

  constructor(key: string) {
    this.key = key;
  }

  get count(): number {
    return this.#kept.size;
  }

  *add(past: Past): Generator<string> {
    const { version, operation, from, value } = past;
    if (version !== this.#newest + 1) yield `${this.key}: version ${version} comes after ${this.#newest}`;
    const back = this.#kept.get(from);
    const isSecret = value.startsWith(MARK_OF_SECRETS);
    if (operation === 'rollback' && back !== undefined && back.value !== value && !isSecret)
      yield `${this.key}: version ${version} is not as ${from} was, to which it goes back`;
    this.#newest = Math.max(this.#newest, version);
    this.#kept.set(version, past);
  }

  drop(version: number): string | undefined {
    this.#kept.delete(version);
    if (version <= this.#newest - HISTORY_DEPTH) return undefined;
    return `${this.key}: version ${version} was dropped when ${this.#newest} was the newest`;
  }
}

/** A version that is made has its value, its record and its place in the history at one revision. */
function* checkTogether({ revision, events }: Step, pasts: readonly Past[]): Generator<string> {
  const newest = new Map(pasts.map((past) => [past.key, past]));
  for (const { type, key: etcdKey, value } of events) {
    const key = keyOfMeta(etcdKey);
    if (key === undefined || type === 'delete') continue;
    const version = objectOf(value)?.v;
    if (newest.get(key)?.version !== version)
      yield `${key}: revision ${revision} has a record of version ${version}, and another in the history`;
  }
  for (const { key, version, operation, value } of newest.values()) {
    const raw = events.find((event) => keyOfRaw(event.key) === key);
    const asWritten =
      operation === 'delete' ? raw?.type === 'delete' : raw?.type === 'put' && raw.value === value;
    if (!asWritten) yield `${key}: version ${version} was not written together with its value`;
    if (!events.some((event) => keyOfMeta(event.key) === key))
      yield `${key}: version ${version} was written without its record`;
  }
}

/** C2: what was acknowledged is there once, and what failed is not, whatever it changed. */
export function checkOnce(history: readonly ConfigOperation[], log: readonly EtcdEvent[]): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'C2', what });
  const times = new Map<string, number>();
  for (const { attempt, key } of stepsOf(log).flatMap(pastsOf)) {
    if (attempt === '') continue;
    const name = nameOf(attempt, key);
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  for (const { id, keys, outcome, written } of changesOf(history)) {
    for (const key of keys) {
      const count = times.get(nameOf(id, key)) ?? 0;
      if (count > 1) complain(`${id} was written ${count} times`);
      if (count === 0 && outcome === 'ok' && written) complain(`${id} was acknowledged, and never written`);
      if (count > 0 && (outcome === 'failed' || !written)) complain(`${id} had failed, and was written`);
    }
  }
  return violations;
}

interface Change {
  readonly id: string;
  readonly keys: readonly string[];
  readonly outcome: Outcome;
  readonly written: boolean;
}

function changesOf(history: readonly ConfigOperation[]): Change[] {
  return history.flatMap(({ name, input, output, outcome }): Change[] =>
    name === 'change' ? [{ id: input.id, keys: [input.key], outcome, written: output?.written ?? true }] : [],
  );
}

function nameOf(id: string, key: string): string {
  return `${id} ${key}`;
}
