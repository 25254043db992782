/** How contenders of a workload are spread over locks. */
export interface LockSetting {
  readonly ttlMs: number;
  /** Each group of processes has locks of its own, so that nobody else stands still with one of them that is frozen. */
  readonly processesPerGroup: number;
  readonly locksPerGroup: number;
  /** Of each process. */
  readonly contendersPerLock: number;
}

const SETTINGS = {
  lock: { ttlMs: 2_000, processesPerGroup: 2, locksPerGroup: 1, contendersPerLock: 2 },
  // A pause lasts until a lease has run out: the shorter, the more of them; and several holders stand still in one process.
  fenced: { ttlMs: 1_000, processesPerGroup: 2, locksPerGroup: 4, contendersPerLock: 1 },
} satisfies Record<string, LockSetting>;

export type LockWorkloadName = keyof typeof SETTINGS;

export function lockSetting(workload: LockWorkloadName): LockSetting {
  return SETTINGS[workload];
}

/** The group of a process, by its number. */
export function groupOf(index: number, { processesPerGroup }: LockSetting): number {
  return Math.floor(index / processesPerGroup);
}

export function locksOfGroup(run: string, group: number, { locksPerGroup }: LockSetting): string[] {
  return Array.from({ length: locksPerGroup }, (_, i) => `${run}.${group * locksPerGroup + i}`);
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
