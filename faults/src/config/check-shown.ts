import { isDeepStrictEqual } from 'node:util';
import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { type ComponentState, statesOf } from './component-states.js';
import {
  type Component,
  type ConfigOperation,
  DEFAULTS,
  isValid,
  type Managing,
  type Shown,
} from './config-operations.js';

/** What one manager showed, refused and came to. */
interface Showing extends Managing {
  readonly process: string;
  readonly shown: Shown[];
  readonly refused: number[];
  end: { readonly value: Shown; readonly rejected: number } | undefined;
}

/**
 * M1: what a manager shows is valid, stood in etcd as it is shown, and is never older than what it has shown. What
 * cannot be used is refused, and told; what can is not. In the end it shows what etcd has, or has refused it.
 */
export function checkShown(
  history: readonly ConfigOperation[],
  log: readonly EtcdEvent[],
  run: string,
): Violation[] {
  const statesFor = remembered((component: Component, index: number) =>
    statesOf(component, log, { run, index }),
  );
  return showingsOf(history).flatMap((showing) =>
    checkShowing(showing, statesFor(showing.component, showing.index)).map((what) => ({
      invariant: 'M1',
      what,
    })),
  );
}

function checkShowing(showing: Showing, states: readonly ComponentState[]): string[] {
  const { process, component, shown, refused, end } = showing;
  const found: string[] = [];
  const who = `${process} (${component})`;
  let place = 0;
  for (const value of shown) {
    if (!isValid(component, value)) found.push(`${who} showed ${idOf(value)}, which is not valid`);
    const isIt = (state: ComponentState) => state.valid && isDeepStrictEqual(state.value, value);
    const at = states.findIndex((state, i) => i >= place && isIt(state));
    if (at >= 0) place = at;
    else if (isDeepStrictEqual({ ...value }, { ...DEFAULTS[component] }))
      found.push(`${who} showed the defaults after ${idAt(states, place)}`);
    else if (states.some((state) => isDeepStrictEqual(state.value, value)))
      found.push(`${who} showed ${idOf(value)} after ${idAt(states, place)}`);
    else found.push(`${who} showed ${idOf(value)}, which never was in etcd`);
  }
  for (const revision of refused) {
    const named = states.filter(({ newest }) => newest === revision);
    if (named.length === 0) found.push(`${who} refused revision ${revision}, at which it had nothing new`);
    else if (named.every(({ valid }) => valid))
      found.push(`${who} refused ${idOf(named[0]?.value)} of revision ${revision}, which is valid`);
  }
  const last = states.at(-1);
  if (end === undefined || last === undefined) return found;
  if (last.valid && !isDeepStrictEqual({ ...end.value }, last.value))
    found.push(`${who} ended with ${idOf(end.value)}, not with ${idOf(last.value)}`);
  if (!last.valid && (end.rejected !== last.newest || !refused.includes(last.newest)))
    found.push(`${who} ended without telling that it refuses revision ${last.newest}`);
  if (!last.valid && !isValid(component, end.value)) found.push(`${who} ended with what is not valid`);
  return found;
}

function idAt(states: readonly ComponentState[], place: number): string {
  return idOf(states[place]?.value);
}

function idOf(value: Shown | undefined): string {
  const named = value && [value.id, value.left, value.base].find((id) => id !== undefined);
  return typeof named === 'string' && named !== '' ? named : 'nothing';
}

/** One for each manager that ever was. */
export function showingsOf(history: readonly ConfigOperation[]): Showing[] {
  const showings = new Map<string, Showing>();
  const of = (process: string, managing: Managing): Showing => {
    const name = `${process} ${managing.manager}`;
    const { manager, component, index } = managing;
    const showing = showings.get(name) ?? {
      ...{ process, manager, component, index },
      ...{ shown: [], refused: [], end: undefined },
    };
    showings.set(name, showing);
    return showing;
  };
  for (const { process, name, input, output } of history) {
    if (output === undefined) continue;
    if (name === 'expose') of(process, input).shown.push(output.value);
    else if (name === 'refuse') of(process, input).refused.push(output.revision);
    else if (name === 'over') {
      const showing = of(process, input);
      showing.shown.push(output.value);
      showing.end = output;
    }
  }
  return [...showings.values()];
}

function remembered<T>(make: (component: Component, index: number) => T): typeof make {
  const made = new Map<string, T>();
  return (component, index) => {
    const name = `${component} ${index}`;
    const present = made.get(name) ?? make(component, index);
    made.set(name, present);
    return present;
  };
}
