/** Watches are of one of these groups of keys, or of all. */
export const GROUPS = 4;
/** Under it nothing happens until the end. */
export const IDLE = 'idle';
/** What is written into it at once is more than one message holds. */
export const FLOOD = 'flood';

/** Of all groups of a run, or of one. */
export function watchPrefix(run: string, group?: number): string {
  return `${prefixOfRun(run)}groups/${group === undefined ? '' : `${group}/`}`;
}

/** What is not in groups. */
export function asidePrefix(run: string, aside: typeof IDLE | typeof FLOOD): string {
  return `${prefixOfRun(run)}${aside}/`;
}

/** Of everything. */
export function prefixOfRun(run: string): string {
  return `/faults/${run}/`;
}

/** The last transaction of a run puts one of these under each prefix, */
export const LAST = 'last';
/** and deletes one of these, so that watches which leave out puts hear of it, too. */
export const GONE = 'gone';

/** A flood begins at the revision of the first of them, and is over at that of the second. */
export const FLOOD_BEGINS = 'begins';
export const FLOOD_ENDS = 'ends';
