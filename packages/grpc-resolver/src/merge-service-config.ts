import type { ServiceConfigJson } from './grpc-adapter.js';

/**
 * Two configs as one: what `own` says goes, method by method as for the whole; what it leaves open, `stored` says.
 * (grpc-js itself would take one or the other.)
 */
export function overlay(own: ServiceConfigJson, stored: ServiceConfigJson): ServiceConfigJson {
  const [mine, theirs] = [methodsOf(own), methodsOf(stored)];
  const merged = { ...stored, ...defined(own) };
  if (theirs.length === 0) return merged;
  const [ofMine, ofTheirs] = [byName(mine), byName(theirs)];
  // An entry for each name in either: whatever is called, the most exact of these is as exact as both of theirs.
  const names = new Map([...mine, ...theirs].flatMap(({ name }) => name.map((each) => [keyOf(each), each])));
  return {
    ...merged,
    methodConfig: Array.from(names.values(), (name) => {
      const ours = entryFor(ofMine, name);
      const repeats = REPEATING.some((field) => field in ours);
      return { ...without(entryFor(ofTheirs, name), repeats ? REPEATING : []), ...ours, name: [name] };
    }),
  };
}

/** Of these a method has one. */
const REPEATING = ['retryPolicy', 'hedgingPolicy'];

/**
 * For instances that go away: UNAVAILABLE means that a call was most likely not processed.
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md
 */
const RETRY_POLICY = {
  maxAttempts: 4,
  initialBackoff: '0.05s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
};

/** The config with the balancing policy and, if wanted, the retry policy filled in where it has none. */
export function withDefaults(
  config: ServiceConfigJson,
  policy: object,
  wantsRetry: boolean,
): ServiceConfigJson {
  const complete = { loadBalancingConfig: [policy], ...defined(config) };
  if (!wantsRetry) return complete;
  const methods = methodsOf(config);
  const withRetry = methods.map((method) =>
    REPEATING.some((field) => field in method) ? method : { ...method, retryPolicy: RETRY_POLICY },
  );
  // The empty name stands for every method that no other entry names.
  const all = methods.some(({ name }) => name.some(({ service }) => !service)) ? [] : [ALL_METHODS];
  return { ...complete, methodConfig: [...withRetry, ...all] };
}

const ALL_METHODS = { name: [{}], retryPolicy: RETRY_POLICY };

interface Name {
  readonly service?: string | undefined;
  readonly method?: string | undefined;
}

interface MethodEntry {
  readonly name: readonly Name[];
}

/** The entries; whatever is none has been refused already, here or by grpc-js. */
function methodsOf({ methodConfig }: ServiceConfigJson): readonly MethodEntry[] {
  return Array.isArray(methodConfig) ? methodConfig.map((entry) => ({ name: [], ...defined(entry) })) : [];
}

function byName(entries: readonly MethodEntry[]): ReadonlyMap<string, MethodEntry> {
  return new Map(entries.flatMap((entry) => entry.name.map((name) => [keyOf(name), entry])));
}

/** What goes for a name: the entry that names it most exactly. */
function entryFor(entries: ReadonlyMap<string, MethodEntry>, { service, method }: Name): object {
  return entries.get(keyOf({ service, method })) ?? entries.get(keyOf({ service })) ?? entries.get('/') ?? {};
}

function keyOf({ service = '', method = '' }: Name): string {
  return `${service}/${method}`;
}

function defined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function without(object: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}
