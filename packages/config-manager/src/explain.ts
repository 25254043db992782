import { isDeepStrictEqual } from 'node:util';
import { ValidationError } from '@coord/client';
import { readInput, show } from '@coord/client/internal';
import { isPlainObject } from '@coord/config/internal';
import { copy } from './deep-merge.js';
import type { ConfigLayer, SuppliedPart } from './layer.js';

/** One layer's word on a path. */
export interface LayerValue {
  readonly layer: 'default' | 'snapshot' | ConfigLayer;
  /** In the centre; for an override its id; undefined for the defaults. */
  readonly key: string | undefined;
  readonly version: number;
  readonly revision: bigint;
  readonly value: unknown;
}

/** Where a value of the present configuration comes from. */
export interface ConfigExplanation {
  /** In the present configuration; undefined when there is nothing at the path. */
  readonly value: unknown;
  /**
   * The layer that it comes from, for an object merged from several the highest of them. `schema`: no layer
   * says so, the schema has made it (a default of its own, a conversion). Undefined: there is nothing.
   */
  readonly layer: LayerValue['layer'] | 'schema' | undefined;
  /** Every layer that says something, the highest first. */
  readonly layers: readonly LayerValue[];
}

/** A place in a configuration: `http.port`, or `['http', 'port']`. */
export type ConfigPath = string | readonly (string | number)[];

/** @throws {ValidationError} for a path that is none */
export function explain(
  current: unknown,
  defaults: unknown,
  parts: readonly SuppliedPart[],
  path: ConfigPath,
): ConfigExplanation {
  const steps = readInput('path', () => toSteps(path));
  const at: Omit<SuppliedPart, 'layer' | 'key'> = { version: 0, revision: 0n, value: defaults };
  const lowestFirst = [{ ...at, layer: 'default' as const, key: undefined }, ...parts];
  const layers: LayerValue[] = [];
  for (const { layer, key, version, revision, value: all } of lowestFirst) {
    const value = follow(all, steps);
    if (value === undefined) {
      // A value that is no object, on the way there, takes the place of all that the lower layers say.
      if (endsEarly(all, steps)) layers.length = 0;
      continue;
    }
    layers.unshift({ layer, key, version, revision, value: copy(value) });
  }
  const value = follow(current, steps);
  return { value, layer: winner(value, layers), layers };
}

function winner(value: unknown, layers: readonly LayerValue[]): ConfigExplanation['layer'] {
  if (value === undefined) return undefined;
  const [top] = layers;
  if (top === undefined) return 'schema';
  // An object may be merged from several layers; anything else is as the highest layer says.
  return isPlainObject(value) || isDeepStrictEqual(copy(value), top.value) ? top.layer : 'schema';
}

function toSteps(path: ConfigPath): readonly string[] {
  if (typeof path === 'string') return path === '' ? [] : path.split('.');
  const isStep = (step: unknown) => typeof step === 'string' || typeof step === 'number';
  if (Array.isArray(path) && path.every(isStep)) return path.map(String);
  const message = `must be 'a.b' or ['a', 'b'], got ${show(path)}`;
  throw new ValidationError([{ path: 'path', message }]);
}

function follow(value: unknown, steps: readonly string[]): unknown {
  let at = value;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = Reflect.get(at, step);
  }
  return at;
}

/** Whether the way ends at something that is no object to be merged. */
function endsEarly(value: unknown, steps: readonly string[]): boolean {
  for (let length = 0; length < steps.length; length++) {
    const at = follow(value, steps.slice(0, length));
    if (at === undefined) return false;
    if (!isPlainObject(at)) return true;
  }
  return false;
}
