/** Containers within containers, in what is written and in what is read. */
export const MAX_DEPTH = 64;

/** Longer integers are numbers like any other (a double); 128-bit ones have 39 digits. */
export const MAX_INTEGER_DIGITS = 40;

/** Names through which merging code reaches a prototype. */
export const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
