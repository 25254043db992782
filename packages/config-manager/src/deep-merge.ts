import { isPlainObject } from '@coord/config/internal';

/**
 * The defaults with a partial value laid over them, as new objects: objects merge member by member,
 * everything else (arrays, null) replaces what was there.
 */
export function deepMerge(defaults: unknown, partial: unknown): unknown {
  if (!isPlainObject(defaults) || !isPlainObject(partial)) return copy(partial);
  const merged: Record<string, unknown> = { ...defaults, ...partial };
  for (const name of Object.keys(merged)) {
    const inBoth = Object.hasOwn(defaults, name) && Object.hasOwn(partial, name);
    merged[name] = inBoth ? deepMerge(defaults[name], partial[name]) : copy(merged[name]);
  }
  return merged;
}

/** Plain objects, arrays and bytes anew; anything else (a Date, a Buffer, a class instance) as it is. */
export function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype)
    return value.slice();
  if (!isPlainObject(value)) return value;
  const copied = { ...value };
  for (const name of Object.keys(copied)) copied[name] = copy(copied[name]);
  return copied;
}
