export const SERVICE = 'who';
export const SERVER_TTL_MS = 3_000;

/** Of the registries of a run. */
export function registryPrefix(run: string): string {
  return `/faults/${run}/services`;
}

/** Under it each server has a key. */
export function serverPrefix(run: string): string {
  return `${registryPrefix(run)}/${SERVICE}/`;
}
