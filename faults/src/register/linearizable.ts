/**
 * An operation for the search. `apply` gives the state after it, or undefined if what it has returned
 * cannot be in this state.
 */
export interface Step<State> {
  readonly invokedAt: number;
  /** Infinity: it may take effect at any time after its invocation, or never; then `apply` must fit any state. */
  readonly returnedAt: number;
  apply(state: State): State | undefined;
  /** Steps that may take effect at any time, and do the same in any state, whichever of them does: the search need not tell them apart. */
  readonly kin?: string;
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
  const turns = turnsOf(steps);
  const taken = new Map<string, number>();
  /** The others may as well take effect after all of these, or never. */
  let certain = steps.filter(isCertain).length;
  const count = ({ step }: Mark<State>, by: 1 | -1) => {
    if (isCertain(step)) certain -= by;
    if (step.kin !== undefined) taken.set(step.kin, (taken.get(step.kin) ?? 0) + by);
  };
  /** One that need not be tried: others of its kin could have come before it, or it would have had no effect. */
  const isIdle = ({ step }: Mark<State>, next: State) => {
    if (isCertain(step)) return false;
    const { kin } = step;
    const early = kin !== undefined && turns.get(step) !== (taken.get(kin) ?? 0);
    return early || show(next) === show(state);
  };
  const tried = new Set<string>();
  const path: { readonly mark: Mark<State>; readonly state: State }[] = [];
  let state = initial;
  let done = 0n;
  let mark = front.after;
  for (;;) {
    if (certain === 0) return true;
    if (mark === undefined) throw new Error('a return of what is certain stays in the list');
    const applied = mark.end === undefined ? undefined : mark.step.apply(state);
    const next = applied === undefined || isIdle(mark, applied) ? undefined : applied;
    const key = next === undefined ? '' : `${(done | mark.bit).toString(36)} ${show(next)}`;
    if (next !== undefined && !tried.has(key)) {
      tried.add(key);
      path.push({ mark, state });
      state = next;
      done |= mark.bit;
      count(mark, 1);
      lift(mark);
      mark = front.after;
    } else if (mark.end !== undefined) {
      mark = mark.after; // it does not fit here: another one
    } else {
      const last = path.pop(); // this return comes too late for all that was tried
      if (last === undefined) return false;
      state = last.state;
      done ^= last.mark.bit;
      count(last.mark, -1);
      putBack(last.mark);
      mark = last.mark.after;
    }
  }
}

function isCertain({ returnedAt }: Step<unknown>): boolean {
  return returnedAt !== Number.POSITIVE_INFINITY;
}

/** The place of each among its kin, in the order of invocation: who was invoked first can do whatever the others can. */
function turnsOf<State>(steps: readonly Step<State>[]): Map<Step<State>, number> {
  const turns = new Map<Step<State>, number>();
  const counts = new Map<string, number>();
  for (const step of steps.toSorted((a, b) => a.invokedAt - b.invokedAt)) {
    if (step.kin === undefined) continue;
    const turn = counts.get(step.kin) ?? 0;
    turns.set(step, turn);
    counts.set(step.kin, turn + 1);
  }
  return turns;
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
