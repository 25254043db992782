/** How a public function is called well: the fuzz then replaces one thing after the other. */
export interface Recipe {
  /** What it is a method of; the module for an exported function. Made once, and again when a call has used it up. */
  readonly on: () => unknown;
  /** Good input. Every set of it gives the fuzz more places to reach. */
  readonly args?: readonly (() => readonly unknown[])[];
  /** A successful call leaves an object that is of no use any more. */
  readonly usesUp?: boolean;
  /** Good input does not make it end: it waits for something that does not happen here. */
  readonly waits?: boolean;
  /** Where anything at all is taken, as it is the caller's own affair. */
  readonly anything?: RegExp;
}

/** By the names of the public functions. */
export type Recipes = Readonly<Record<string, Recipe>>;

/** The same for several functions of one object. */
export function recipesOf(
  owner: string,
  on: () => unknown,
  functions: Readonly<Record<string, Omit<Recipe, 'on'>>>,
): Recipes {
  return Object.fromEntries(
    Object.entries(functions).map(([name, recipe]) => [`${owner}${name}`, { on, ...recipe }]),
  );
}
