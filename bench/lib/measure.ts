/** What one workload did: operations a second, how long one took in milliseconds, and what it cost this process. */
export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU of this process for each operation, in microseconds; undefined for another process's work. */
  readonly cpuMicros?: number | undefined;
}

export interface Workload {
  readonly callers: number;
  readonly seconds: number;
  /** One operation of one caller. */
  readonly operation: (caller: number, round: number) => Promise<unknown>;
}

/** Closed loop: each caller starts its next operation when the last one is done. A fifth of the time more warms up. */
export async function measure({ callers, seconds, operation }: Workload): Promise<Figures> {
  await closedLoop({ callers, seconds: seconds / 5, operation });
  return await figuresOf(() => closedLoop({ callers, seconds, operation }));
}

/** @param run resolves to how long each operation took */
export async function figuresOf(run: () => Promise<number[]>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const latencies = await run();
  const elapsedSeconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: latencies.length / elapsedSeconds,
    p50: at(0.5),
    p99: at(0.99),
    cpuMicros: (user + system) / latencies.length,
  };
}

/** Runs operations for a time and resolves to how long each took, when the last has ended. */
async function closedLoop({ callers, seconds, operation }: Workload): Promise<number[]> {
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  const caller = async (id: number): Promise<void> => {
    for (let round = 0; ; round++) {
      const startedAt = performance.now();
      if (startedAt >= endsAt) return;
      await operation(id, round);
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)));
  return latencies;
}

/** The figures of the middle round, each by itself: one disturbed round does not count. */
export function medianOf(rounds: readonly Figures[]): Figures {
  const cpu = rounds.flatMap(({ cpuMicros }) => (cpuMicros === undefined ? [] : [cpuMicros]));
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    cpuMicros: cpu.length === 0 ? undefined : median(cpu),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
