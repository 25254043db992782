/**
 * An operation for the search. `apply` gives the state after it, or undefined if what it has returned
 * cannot be in this state.
 */
export interface Step<State> {
  readonly invokedAt: number;
  /** Infinity: it may take effect at any time after its invocation, or never; then `apply` must fit any state. */
  readonly returnedAt: number;
  apply(state: State): State | undefined;
}

interface Mark<State> {
  readonly step: Step<State>;
  readonly bit: bigint;
  /** Of an invocation: its return. */
  readonly end: Mark<State> | undefined;
  before: Mark<State> | undefined;
  after: Mark<State> | undefined;
}

/**
 * Whether the operations can be put in one order, each between its invocation and its return, in which
 * all that they returned is right.
 *
 * The search of Wing and Gong with Lowe's memory of what was tried (https://doi.org/10.1002/cpe.3928):
 * take an operation that was under way before the first return, go back when no one is left that fits.
 * `show` must tell states apart.
 */
export function isLinearizable<State>(
  steps: readonly Step<State>[],
  initial: State,
  show: (state: State) => string,
): boolean {
  const front = marksOf(steps);
  const tried = new Set<string>();
  const path: { readonly mark: Mark<State>; readonly state: State }[] = [];
  let state = initial;
  let done = 0n;
  let mark = front.after;
  for (;;) {
    if (mark === undefined) return true;
    const next = mark.end === undefined ? undefined : mark.step.apply(state);
    const key = next === undefined ? '' : `${(done | mark.bit).toString(36)} ${show(next)}`;
    if (next !== undefined && !tried.has(key)) {
      tried.add(key);
      path.push({ mark, state });
      state = next;
      done |= mark.bit;
      lift(mark);
      mark = front.after;
    } else if (mark.end !== undefined) {
      mark = mark.after; // it does not fit here: another one
    } else {
      const last = path.pop(); // this return comes too late for all that was tried
      if (last === undefined) return false;
      state = last.state;
      done ^= last.mark.bit;
      putBack(last.mark);
      mark = last.mark.after;
    }
  }
}

/** A list of all invocations and returns in the order of time; a return at the time of an invocation comes after it. */
function marksOf<State>(steps: readonly Step<State>[]): Mark<State> {
  const timed = steps.flatMap((step, index) => {
    const bit = 1n << BigInt(index);
    const end: Mark<State> = { step, bit, end: undefined, before: undefined, after: undefined };
    const begin: Mark<State> = { step, bit, end, before: undefined, after: undefined };
    return [
      { at: step.invokedAt, order: 0, mark: begin },
      { at: step.returnedAt, order: 1, mark: end },
    ];
  });
  timed.sort((a, b) => (a.at === b.at ? a.order - b.order : a.at - b.at));
  const none: Step<State> = { invokedAt: 0, returnedAt: 0, apply: () => undefined };
  const front: Mark<State> = { step: none, bit: 0n, end: undefined, before: undefined, after: undefined };
  let last = front;
  for (const { mark } of timed) {
    last.after = mark;
    mark.before = last;
    last = mark;
  }
  return front;
}

/** Takes an invocation and its return out of the list. */
function lift<State>(mark: Mark<State>): void {
  for (const each of [mark, mark.end]) {
    if (each?.before) each.before.after = each.after;
    if (each?.after) each.after.before = each.before;
  }
}

/** Undoes `lift`, in the reverse order. */
function putBack<State>(mark: Mark<State>): void {
  for (const each of [mark.end, mark]) {
    if (each?.before) each.before.after = each;
    if (each?.after) each.after.before = each;
  }
}
