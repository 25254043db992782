import type { EtcdEvent } from '../etcd-event.js';
import { entryOf, objectOf, stepsOf } from './config-log.js';
import { canaryKey, halfOf, instanceKey, keysOf, overridePrefix, rawKey } from './config-names.js';
import { type Component, DEFAULTS, isValid, type Shown } from './config-operations.js';

/** What a component is at a revision and from there on, by etcd's log. Undefined: nothing that can be read. */
export interface ComponentState {
  readonly revision: number;
  /**
   * As a manager names it: the newest revision of its layers, also of the value that a canary stands in for. A canary
   * or an override that is gone has none: who comes when a canary has been dropped over a bad value names that value's.
   */
  readonly newest: number;
  readonly value: Shown | undefined;
  readonly valid: boolean;
}

/** The states that a manager of this worker may show, the defaults first. */
export function statesOf(
  component: Component,
  log: readonly EtcdEvent[],
  { run, index }: { readonly run: string; readonly index: number },
): ComponentState[] {
  const defaults = DEFAULTS[component];
  const parts = new Parts(run, index);
  const states: ComponentState[] = [{ revision: 0, newest: 0, value: defaults, valid: true }];
  for (const { revision, events } of stepsOf(log)) {
    const before = states.at(-1);
    for (const event of events) parts.take(event);
    const layers = parts.of(component);
    const value: Shown | undefined = layers.includes(undefined)
      ? undefined
      : Object.assign({}, defaults, ...layers);
    const newest = parts.newestOf(component);
    if (newest === before?.newest && JSON.stringify(value) === JSON.stringify(before.value)) continue;
    states.push({ revision, newest, value, valid: value !== undefined && isValid(component, value) });
  }
  return states;
}

/** What stands in the keys of which the components are made. */
class Parts {
  readonly #values = new Map<string, string>();
  /** When each was changed last, also of what is gone. */
  readonly #revisions = new Map<string, number>();
  readonly #run: string;
  readonly #index: number;

  constructor(run: string, index: number) {
    this.#run = run;
    this.#index = index;
  }

  take({ revision, type, key, value }: EtcdEvent): void {
    this.#revisions.set(key, revision);
    if (type === 'delete') this.#values.delete(key);
    else this.#values.set(key, value); // one that is there already keeps its place: overrides go by their age
  }

  /** The layers that have something, the lowest first; undefined is one that nobody can read. */
  of(component: Component): readonly (Shown | undefined)[] {
    const { left, right, ...keys } = keysOf(this.#run);
    if (component === 'pair') return [...this.#at(left), ...this.#at(right)];
    if (component !== 'tuned') return this.#at(keys[component]);
    const canary = this.#canary(keys.tuned);
    const own = this.#at(instanceKey({ left, right, ...keys }, this.#index));
    return [...(canary.length > 0 ? canary : this.#at(keys.tuned)), ...own, ...this.#overrides(keys.tuned)];
  }

  /** 0: nothing was ever there. */
  newestOf(component: Component): number {
    const keys = keysOf(this.#run);
    const etcdKeys =
      component === 'pair' ? [rawKey(keys.left), rawKey(keys.right)] : [rawKey(keys[component])];
    if (component === 'tuned') {
      etcdKeys.push(rawKey(instanceKey(keys, this.#index)), ...this.#overrideKeys(keys.tuned));
      if (this.#canary(keys.tuned).length > 0) etcdKeys.push(canaryKey(keys.tuned));
    }
    return Math.max(...etcdKeys.map((key) => this.#revisions.get(key) ?? 0));
  }

  #at(key: string): (Shown | undefined)[] {
    const text = this.#values.get(rawKey(key));
    return text === undefined ? [] : [objectOf(text)];
  }

  #canary(key: string): (Shown | undefined)[] {
    const text = this.#values.get(canaryKey(key));
    const entry = text === undefined ? undefined : entryOf(text);
    if (entry === undefined) return [];
    const { percent, labels } = entry.record;
    const half = typeof labels === 'object' && labels !== null && 'half' in labels ? labels.half : undefined;
    const isIn = percent === undefined ? half === halfOf(this.#index) : percent === 100;
    return isIn ? [objectOf(entry.value)] : [];
  }

  #overrides(key: string): (Shown | undefined)[] {
    return this.#overrideKeys(key).map((etcdKey) =>
      objectOf(entryOf(this.#values.get(etcdKey) ?? '')?.value ?? ''),
    );
  }

  /** Of those that are there, the oldest first. */
  #overrideKeys(key: string): string[] {
    return [...this.#values.keys()].filter((etcdKey) => etcdKey.startsWith(overridePrefix(key)));
  }
}
