export const SERVICE = 'who';
/** Long enough for most outages: a server whose lease is lost is not called, though it lives. */
export const SERVER_TTL_MS = 6_000;

/** Of the registries of a run. */
export function registryPrefix(run: string): string {
  return `/faults/${run}/services`;
}

/** Under it each server has a key. */
export function serverPrefix(run: string): string {
  return `${registryPrefix(run)}/${SERVICE}/`;
}
