import type { Attempt, Link } from '../check-chain.js';
import type { EtcdEvent } from '../etcd-event.js';
import { idIn, objectOf } from './config-log.js';
import type { ConfigOperation } from './config-operations.js';

/** What stood in `bounds`, whoever wrote it, and what writers asked for. */
export function chainOf(
  history: readonly ConfigOperation[],
  log: readonly EtcdEvent[],
  rawKey: string,
): readonly [Link[], Attempt[]] {
  const asked = new Map<string, string>();
  const attempts = history.flatMap(({ name, input, outcome }): Attempt[] => {
    if (name !== 'write' && name !== 'rubbish') return [];
    asked.set(input.id, input.read);
    return [{ id: input.id, outcome }];
  });
  const links = log.flatMap(({ type, key, value }): Link[] => {
    if (key !== rawKey || type === 'delete') return [];
    const id = idIn(value);
    const read = objectOf(value)?.read;
    return [{ id, read: typeof read === 'string' ? read : (asked.get(id) ?? '') }]; // rubbish does not say
  });
  return [links, attempts];
}
