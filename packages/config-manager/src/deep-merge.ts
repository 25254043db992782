import { isPlainObject } from '@coord/config/internal';

/**
 * The defaults with a partial value laid over them, as new objects: objects merge member by member,
 * everything else (arrays, null) replaces what was there.
 */
export function deepMerge(defaults: unknown, partial: unknown): unknown {
  if (!isPlainObject(defaults) || !isPlainObject(partial)) return copy(partial);
  const merged: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(defaults), ...Object.keys(partial)])) {
    if (!Object.hasOwn(partial, name)) merged[name] = copy(defaults[name]);
    else if (!Object.hasOwn(defaults, name)) merged[name] = copy(partial[name]);
    else merged[name] = deepMerge(defaults[name], partial[name]);
  }
  return merged;
}

/** Plain objects, arrays and bytes anew; anything else (a Date, a Buffer, a class instance) as it is. */
export function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype)
    return value.slice();
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)]));
}
