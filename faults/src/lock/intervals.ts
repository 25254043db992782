/** From when to when, in microseconds. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** What is left of one without the others. */
export function without(interval: Interval, holes: readonly Interval[]): Interval[] {
  let left = [interval];
  for (const hole of holes) {
    left = left.flatMap(({ from, to }) =>
      [
        { from, to: Math.min(to, hole.from) },
        { from: Math.max(from, hole.to), to },
      ].filter((part) => part.from < part.to),
    );
  }
  return left;
}

/** When there is at least one of `some`, and none of `others`. */
export function onlyIn(some: readonly Interval[], others: readonly Interval[]): Interval[] {
  const changes = [
    ...some.flatMap(({ from, to }) => [change(from, 1, 0), change(to, -1, 0)]),
    ...others.flatMap(({ from, to }) => [change(from, 0, 1), change(to, 0, -1)]),
  ].sort((a, b) => a.at - b.at);
  const found: Interval[] = [];
  let [present, barred, since] = [0, 0, 0];
  for (const { at, some: more, others: bars } of changes) {
    if (present > 0 && barred === 0 && at > since) found.push({ from: since, to: at });
    const was = present > 0 && barred === 0;
    present += more;
    barred += bars;
    const is = present > 0 && barred === 0;
    if (was && is) found.splice(-1, at > since ? 1 : 0);
    else since = at;
  }
  return found;
}

function change(at: number, some: number, others: number) {
  return { at, some, others };
}

/** Later than `at` by so much, and by all in which nothing could be done. */
export function deadlineAfter(at: number, micros: number, stalls: readonly Interval[]): number {
  let deadline = at + micros;
  for (const { from, to } of [...stalls].sort((a, b) => a.from - b.from)) {
    if (to > at && from <= deadline) deadline = Math.max(deadline, to + micros);
  }
  return deadline;
}
