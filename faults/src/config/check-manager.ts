import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { idIn } from './config-log.js';
import { instanceName, keysOf, rawKey } from './config-names.js';
import type { ConfigOperation } from './config-operations.js';

/** M2: the snapshot file is whole at every moment; whoever starts without etcd comes up with what it holds. */
export function checkSnapshots(history: readonly ConfigOperation[]): Violation[] {
  return history.flatMap(({ process, name, input, output }): Violation[] => {
    if (name === 'start' && input.saved === 'broken')
      return [{ invariant: 'M2', what: `${process} found its snapshot broken` }];
    if (name === 'start' && input.saved === 'whole' && output?.source === 'default')
      return [{ invariant: 'M2', what: `${process} started with the defaults, though a snapshot was there` }];
    if (name === 'trouble' && output?.during === 'snapshot')
      return [{ invariant: 'M2', what: `${process} could not use its snapshot: ${output.error}` }];
    return [];
  });
}

/** M3: what an instance announces to be in use, also if it has refused what came then, it has shown before, and what is waited for is there. */
export function checkApplied(
  history: readonly ConfigOperation[],
  log: readonly EtcdEvent[],
  run: string,
): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'M3', what });
  const key = rawKey(keysOf(run).bounds);
  const ids = new Map(
    log.flatMap((event) => (event.key === key ? [[event.revision, idIn(event.value)]] : [])),
  );
  for (const operation of history) {
    if (operation.output === undefined) continue;
    if (operation.name === 'await' && operation.output.version < operation.input.version)
      complain(
        `${operation.process} was told of version ${operation.input.version} at ${operation.output.version}`,
      );
    if (operation.name !== 'applied') continue;
    for (const { instance, revision } of operation.output.instances) {
      if (revision === 0) continue; // it has none
      const id = ids.get(revision);
      const shown = history.some(
        ({ name, input, output, invokedAt }) =>
          name === 'expose' &&
          input.component === 'bounds' &&
          instanceName(input.index) === instance &&
          output?.value.id === id &&
          invokedAt <= operation.returnedAt,
      );
      if (!shown) complain(`${instance} announced ${id} of revision ${revision}, and never had it in use`);
    }
  }
  return violations;
}
