/** What one workload did: operations a second, and how long one took, in milliseconds. */
export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Workload {
  readonly callers: number;
  readonly seconds: number;
  /** One operation of one caller. */
  readonly operation: (caller: number, round: number) => Promise<unknown>;
}

/** Closed loop: each caller starts its next operation when the last one is done. A tenth of the time warms up. */
export async function measure({ callers, seconds, operation }: Workload): Promise<Figures> {
  const latencies: number[] = [];
  const warmUntil = performance.now() + seconds * 100;
  const endsAt = warmUntil + seconds * 1_000;
  const caller = async (id: number): Promise<void> => {
    for (let round = 0; ; round++) {
      const startedAt = performance.now();
      if (startedAt >= endsAt) return;
      await operation(id, round);
      if (startedAt >= warmUntil) latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)));
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
}
