/** etcd counts whole seconds. */
export const SESSION_TTL_MS = 2_000;

export function sessionPrefix(run: string): string {
  return `/faults/${run}/sessions/`;
}

/** Each session has one key. */
export function sessionKey(run: string, session: string): string {
  return `${sessionPrefix(run)}${session}`;
}
