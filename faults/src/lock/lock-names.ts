/** How contenders of a workload are spread over locks. */
export interface LockSetting {
  readonly ttlMs: number;
  /** Each lock has processes of its own, so that nobody else stands still with one that is frozen. */
  readonly processesPerLock: number;
  readonly contendersPerProcess: number;
}

const SETTINGS = {
  lock: { ttlMs: 2_000, processesPerLock: 2, contendersPerProcess: 2 },
  // A pause lasts until a lease has run out: the shorter, the more of them.
  fenced: { ttlMs: 1_000, processesPerLock: 2, contendersPerProcess: 1 },
} satisfies Record<string, LockSetting>;

export type LockWorkloadName = keyof typeof SETTINGS;

export function lockSetting(workload: LockWorkloadName): LockSetting {
  return SETTINGS[workload];
}

/** The lock for which a process contends, by the number of the process. */
export function lockOf(run: string, index: number, { processesPerLock }: LockSetting): string {
  return `${run}.${Math.floor(index / processesPerLock)}`;
}

export function lockQueuePrefix(lock: string): string {
  return `/locks/${lock}/`;
}

/** Holds an `Entry`. */
export function lockDataKey(lock: string): string {
  return `/faults/${lock}/data`;
}

export function isQueueKey(key: string, run: string): boolean {
  return key.startsWith(`/locks/${run}.`);
}

export function isDataKey(key: string, run: string): boolean {
  return key.startsWith(`/faults/${run}.`);
}
