export const LOCK_TTL_MS = 2_000;

export function lockQueuePrefix(run: string): string {
  return `/locks/${run}/`;
}

export function lockDataKey(run: string): string {
  return `/faults/${run}/data`;
}
