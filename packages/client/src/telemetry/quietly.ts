/**
 * Tells somebody something, whatever they do with it: an SDK, and what a program has hung into it, must not make
 * an operation fail that has succeeded, nor take the place of its error.
 */
export function quietly<T>(tell: () => T): T | undefined {
  try {
    return tell();
  } catch {
    return undefined; // and where could we say so?
  }
}
