import type { Violation } from '../violation.js';
import { isLinearizable, type Step } from './linearizable.js';
import type { RegisterOperation } from './register-operations.js';

/** KV: gets, puts and compare-and-sets of each key are linearizable; what `failed` has not happened. */
export function checkRegisters(history: readonly RegisterOperation[]): Violation[] {
  const keys = new Map<string, RegisterOperation[]>();
  for (const operation of history) {
    const { name, outcome, input } = operation;
    if (outcome === 'failed' || (name === 'get' && outcome === 'unknown')) continue;
    keys.set(input.key, [...(keys.get(input.key) ?? []), operation]);
  }
  return [...keys]
    .filter(([, operations]) => !isLinearizable(stepsOf(operations), '', (state) => state))
    .map(([key, { length }]) => ({
      invariant: 'KV',
      what: `${length} operations of ${key} fit in no order`,
    }));
}

/** Any value that nobody was shown and nobody compares with: one is as good as another. */
const UNSEEN = 'unseen';

function stepsOf(operations: readonly RegisterOperation[]): Step<string>[] {
  const seen = new Set<unknown>();
  for (const operation of operations) {
    if (operation.name === 'get') seen.add(operation.output?.value);
    else if (operation.name === 'cas') seen.add(operation.input.expected);
  }
  return operations.map((operation) => {
    const { name, outcome, input } = operation;
    if (name !== 'put' || outcome !== 'unknown' || seen.has(input.value)) return stepOf(operation);
    return { ...stepOf(operation), kin: UNSEEN, apply: () => UNSEEN };
  });
}

/** The state is the value; an empty one is no key. */
function stepOf(operation: RegisterOperation): Step<string> {
  const { invokedAt, returnedAt } = operation;
  const apply = (state: string): string | undefined => {
    switch (operation.name) {
      case 'get':
        return operation.output === undefined || (operation.output.value ?? '') === state ? state : undefined;
      case 'put':
        return operation.input.value;
      case 'cas': {
        const { expected, value } = operation.input;
        const swaps = state === expected;
        if (operation.output !== undefined && operation.output.swapped !== swaps) return undefined;
        return swaps ? value : state;
      }
    }
  };
  return { invokedAt, returnedAt, apply };
}
