import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { objectOf, pastsOf, type Step, stepsOf } from './config-log.js';
import { keysOf, RELEASES, rawKey, releaseKeys } from './config-names.js';
import type { ConfigOperation, Shown } from './config-operations.js';

/**
 * C3: a release is there once or not at all, its keys all at one revision; it stands on the one that its publisher
 * had read, and a revert brings back what was before. Nobody sees half of it.
 */
export function checkReleases(
  history: readonly ConfigOperation[],
  log: readonly EtcdEvent[],
  run: string,
): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'C3', what });
  const releases = new Releases(run);
  for (const step of stepsOf(log)) for (const what of releases.take(step)) complain(what);
  for (const what of checkAttempts(history, releases.times)) complain(what);
  for (const { process, name, input, output } of history) {
    if (output === undefined) continue;
    if (name === 'row' && !isWhole(output))
      complain(`${process} saw ${output.left}, ${output.right} and ${output.secret} at once`);
    if (name === 'refuse' && input.component === 'pair')
      complain(`${process} was given half a release at revision ${output.revision}`);
  }
  return violations;
}

function isWhole({
  left,
  right,
  secret,
}: {
  readonly left: string;
  readonly right: string;
  readonly secret: string;
}) {
  return left === right && right === secret;
}

/** The releases of a run as they stand in the log. */
class Releases {
  /** How often an attempt was written. */
  readonly times = new Map<string, number>();
  readonly #keys: readonly string[];
  readonly #left: string;
  /** What was in `left` before each release. */
  readonly #before = new Map<string, string>();
  #present = '';

  constructor(run: string) {
    const keys = keysOf(run);
    this.#keys = releaseKeys(keys);
    this.#left = rawKey(keys.left);
  }

  *take(step: Step): Generator<string> {
    const { revision, events } = step;
    const record = events.flatMap((event) => this.#recordIn(event))[0];
    const changed = this.#keys.filter((key) => events.some((event) => event.key === rawKey(key)));
    if (changed.length > 0 && (changed.length < this.#keys.length || record === undefined))
      yield `revision ${revision} has ${changed.length} of ${this.#keys.length} keys of a release`;
    const left = events.find(({ key }) => key === this.#left);
    const before = this.#present;
    if (left !== undefined) this.#present = left.value;
    if (record === undefined) return;
    const attempt = String(record.msg);
    this.times.set(attempt, (this.times.get(attempt) ?? 0) + 1);
    this.#before.set(String(record.id), before);
    yield* this.#checkListed(record, step);
    if (typeof record.reverts === 'string') {
      if (this.#before.get(record.reverts) !== this.#present)
        yield `${attempt} took back a release, and left ${this.#present || 'nothing'}`;
    } else {
      const read = objectOf(this.#present)?.read ?? '';
      const replaced = objectOf(before)?.left ?? '';
      if (read !== replaced)
        yield `${attempt} had read ${read || 'nothing'}, and replaced ${replaced || 'nothing'}`;
    }
  }

  /** The record of a release that changes keys of this run. */
  #recordIn({ type, key, value }: EtcdEvent): Shown[] {
    const record = type === 'put' && key.startsWith(RELEASES) ? objectOf(value) : undefined;
    return record !== undefined && listed(record).some(({ key }) => this.#keys.includes(String(key)))
      ? [record]
      : [];
  }

  /** The record says which versions it made. */
  *#checkListed(record: Shown, step: Step): Generator<string> {
    const made = new Map(pastsOf(step).map(({ key, version }) => [key, version]));
    for (const { key, to } of listed(record))
      if (made.get(String(key)) !== to) yield `${record.msg} says that it made version ${to} of ${key}`;
  }
}

function listed({ keys }: Shown): readonly Shown[] {
  return Array.isArray(keys) ? keys : [];
}

function* checkAttempts(
  history: readonly ConfigOperation[],
  times: ReadonlyMap<string, number>,
): Generator<string> {
  const known = new Set<string>();
  for (const { name, input, outcome } of history) {
    if (name !== 'release') continue;
    const { id } = input;
    known.add(id);
    const count = times.get(id) ?? 0;
    if (count > 1) yield `${id} was published ${count} times`;
    if (count === 0 && outcome === 'ok') yield `${id} was acknowledged, and never published`;
    if (count > 0 && outcome === 'failed') yield `${id} had failed, and was published`;
  }
  for (const id of times.keys()) if (!known.has(id)) yield `${id} was published by nobody`;
}
