/** Watches are of one of these groups of keys, or of all. */
export const GROUPS = 4;

/** Of all keys of a run, or of one group. */
export function watchPrefix(run: string, group?: number): string {
  return `/faults/${run}/${group === undefined ? '' : `${group}/`}`;
}
