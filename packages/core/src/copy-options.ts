/** Objects with a life of their own: they are used as they are. */
const NOT_OPTIONS: ReadonlySet<string> = new Set(['logger', 'codec']);

/**
 * A copy down to the last value: what the caller changes in his object later on, such as the bytes of a key that
 * he wipes, does not reach it.
 */
export function copyOptions<T>(options: T): T;
export function copyOptions(options: unknown): unknown {
  if (Array.isArray(options)) return Array.from(options, (each) => copyOptions(each));
  if (options instanceof Uint8Array) return Uint8Array.from(options);
  if (!isPlain(options)) return options;
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      NOT_OPTIONS.has(name) ? value : copyOptions(value),
    ]),
  );
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
