import { randomUUID } from 'node:crypto';
import {
  assertValid,
  checkNames,
  type IssueList,
  isArray,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import type { ServiceInfo } from './service-info.js';

/** Which part of a large service a client uses. */
export interface SubsetOptions {
  /** How many instances; all, if there are no more. */
  readonly size: number;
  /**
   * What the choice depends on, besides the instances' ids: the same seed always chooses the same ones. Give each
   * client its own, such as its pod's name, so that together they use all. @default a random one for this process
   */
  readonly seed?: string | undefined;
}

const PROCESS_SEED = randomUUID();

/** What an instance is worth to one seed, kept with it: lists are made anew at each change, their members rarely. */
const scores = new WeakMap<ServiceInfo, { readonly seed: string; readonly score: number }>();

/**
 * The instances that a seed prefers, by rendezvous hashing, in the order given: when one goes only its own place is
 * filled anew, when one comes it displaces at most one.
 * @throws {ValidationError} for a size that is none
 * @example
 * const used = subsetOf(await registry.discover('user-service'), { size: 20, seed: process.env.HOSTNAME });
 */
export function subsetOf(instances: readonly ServiceInfo[], options: SubsetOptions): ServiceInfo[] {
  const issues = checkInstances([], instances);
  const { size, seed = PROCESS_SEED } = readOptions(issues, options, SUBSET_NAMES, 'subset');
  assertValid(checkSubset(issues, { size, seed }));
  if (instances.length <= size) return [...instances];
  const scored = Float64Array.from(instances, (instance) => scoreOf(instance, seed));
  const least = scored.toSorted()[instances.length - size] ?? 0;
  const chosen = instances.filter((_, index) => (scored[index] ?? 0) >= least);
  return chosen.length === size
    ? chosen
    : withoutTies(chosen, size, (instance) => scoreOf(instance, seed) === least);
}

/** One in 2^53: of those that are worth the same as the last one chosen, those with the lesser ids. */
function withoutTies(
  chosen: readonly ServiceInfo[],
  size: number,
  isLeast: (instance: ServiceInfo) => boolean,
): ServiceInfo[] {
  const tied = chosen.filter(isLeast).sort((a, b) => (a.id < b.id ? -1 : 1));
  const surplus = new Set(tied.slice(size - chosen.length));
  return chosen.filter((instance) => !surplus.has(instance));
}

export const SUBSET_NAMES = { size: true, seed: true } satisfies NamesOf<SubsetOptions>;

/** As far as they are looked at here. */
function checkInstances(issues: IssueList, instances: unknown): IssueList {
  return readInput('instances', () => {
    if (!isArray(instances)) {
      issues.push({ path: 'instances', message: `must be a list, got ${show(instances)}` });
      return issues;
    }
    for (const [index, instance] of instances.entries()) {
      if (isInstance(instance)) continue;
      issues.push({ path: `instances[${index}]`, message: `must be an instance, got ${show(instance)}` });
    }
    return issues;
  });
}

function isInstance(instance: unknown): boolean {
  if (typeof instance !== 'object' || instance === null) return false;
  const { name, id }: { readonly name?: unknown; readonly id?: unknown } = instance;
  return typeof name === 'string' && typeof id === 'string';
}

export function checkSubset(issues: IssueList, subset: unknown): IssueList {
  if (subset === undefined) return issues;
  if (typeof subset !== 'object' || subset === null) {
    issues.push({ path: 'subset', message: `must be an object, got ${show(subset)}` });
    return issues;
  }
  checkNames(issues, subset, SUBSET_NAMES, 'subset.');
  const { size, seed }: Partial<Record<keyof SubsetOptions, unknown>> = subset;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) {
    issues.push({ path: 'subset.size', message: `must be a whole number from 1, got ${show(size)}` });
  }
  if (seed !== undefined && (typeof seed !== 'string' || seed === '')) {
    issues.push({ path: 'subset.seed', message: `must be a text, got ${show(seed)}` });
  }
  return issues;
}

function scoreOf(instance: ServiceInfo, seed: string): number {
  const known = scores.get(instance);
  if (known?.seed === seed) return known.score;
  const score = hash(`${seed}\0${instance.name}\0${instance.id}`);
  scores.set(instance, { seed, score });
  return score;
}

/**
 * 53 bits of a text: FNV-1a over two lanes, each finished by murmur3's avalanche, without which ids that differ
 * in their last letter would follow one another in every client's order.
 */
function hash(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
  }
  return (avalanche(high) >>> 11) * 2 ** 32 + avalanche(low);
}

function avalanche(lane: number): number {
  let mixed = lane;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
