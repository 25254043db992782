import { types } from 'node:util';

/** How a call has ended. */
export type Ending =
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'error'; readonly error: unknown }
  | { readonly type: 'hanging' };

/** Longer than all the library's own limits for a call. */
const PATIENCE_MS = 20_000;

export async function call(
  on: unknown,
  method: string,
  args: readonly unknown[],
  patienceMs = PATIENCE_MS,
): Promise<Ending> {
  let returned: unknown;
  try {
    returned = Reflect.apply(Reflect.get(Object(on), method), on, args);
  } catch (error) {
    return { type: 'error', error };
  }
  if (!types.isPromise(returned)) return { type: 'result', result: returned };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Ending>((resolve) => {
    timer = setTimeout(() => resolve({ type: 'hanging' }), patienceMs);
  });
  const ending = returned.then(
    (result): Ending => ({ type: 'result', result }),
    (error: unknown): Ending => ({ type: 'error', error }),
  );
  try {
    return await Promise.race([ending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends what a successful call has left running. */
export async function letGo(result: unknown): Promise<void> {
  if (typeof result === 'function') await result();
  if (typeof result !== 'object' || result === null) return;
  const dispose: unknown = Reflect.get(result, Symbol.asyncDispose);
  if (typeof dispose === 'function') await Reflect.apply(dispose, result, []);
}
