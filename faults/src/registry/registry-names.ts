export const SERVICE = 'web';
/** Short, but not so short that a busy machine loses each lease at once. */
export const REGISTRY_TTL_MS = 3_000;

/** Of the registries of a run. */
export function registryPrefix(run: string): string {
  return `/faults/${run}/services`;
}

/** Under it each instance has a key. */
export function instancePrefix(run: string): string {
  return `${registryPrefix(run)}/${SERVICE}/`;
}

/** Put after a registration has ended, as its owner was told: whatever is older in etcd's log came before that. */
export function goneKey(run: string, registration: string): string {
  return `${gonePrefix(run)}${registration}`;
}

export function gonePrefix(run: string): string {
  return `/faults/${run}/gone/`;
}
