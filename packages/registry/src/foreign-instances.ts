import { type KeyValue, NotFoundError, type WaitOptions } from '@coord/client';
import { monotonicNow } from '@coord/client/internal';
import { removeInstance } from './guarded-removal.js';
import { readKey } from './key-claim.js';
import type { RegistryContext } from './registry-context.js';
import type { HealthStatus } from './service-info.js';
import { patchValue } from './service-value.js';

/** Removes the instance that is there now, whoever registered it, and no successor of it. */
export async function removeForeign(
  context: RegistryContext,
  key: string,
  options: WaitOptions | undefined,
): Promise<void> {
  const startedAt = monotonicNow();
  using wait = context.wait(options, `deregister ${key}`);
  let owner: { nonce: string | undefined; createRevision: bigint } | undefined;
  const isTheOneSeenFirst = (kv: KeyValue) => {
    const nonce = readKey(kv).instance?.author?.nonce;
    owner ??= { nonce, createRevision: kv.createRevision };
    return owner.createRevision === kv.createRevision && owner.nonce === nonce;
  };
  try {
    const outcome = await removeInstance(context.client.kv, key, isTheOneSeenFirst, {
      signal: wait.signal,
    });
    const durationMs = Math.round(monotonicNow() - startedAt);
    context.logger.info('instance deregistered', { key, outcome, durationMs });
  } catch (error) {
    throw wait.errorFor(error);
  }
}

/**
 * Sets the health of an instance, whoever registered it; it keeps its lease.
 * @throws {NotFoundError} when there is no such instance
 */
export async function patchHealth(
  context: RegistryContext,
  key: string,
  status: HealthStatus,
  options: WaitOptions | undefined,
): Promise<void> {
  using wait = context.wait(options, `update the health of ${key}`);
  const call = { signal: wait.signal, idempotent: true };
  try {
    let kv = await context.client.kv.get(key, call);
    for (;;) {
      const { instance } = kv ? readKey(kv) : { instance: undefined };
      if (kv === undefined || instance === undefined || instance.leaving) {
        throw new NotFoundError(`there is no instance at ${key}`, { key });
      }
      if (instance.info.health === status) return;
      const value = patchValue(kv, { health: status, ...(instance.author && { generation: 0 }) });
      const result = await context.client.kv.txn(
        {
          compare: [{ key, target: 'mod', is: '=', to: kv.modRevision }],
          success: [{ put: { key, value, ignoreLease: true } }],
          failure: [{ get: key }],
        },
        call,
      );
      if (result.succeeded) return;
      const read = result.responses[0];
      kv = read?.type === 'get' ? read.kvs[0] : undefined;
    }
  } catch (error) {
    throw wait.errorFor(error);
  }
}

/** The keys of all instances with this id, of any service. */
export async function findKeys(
  context: RegistryContext,
  instanceId: string,
  options: WaitOptions | undefined,
): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of context.client.kv.list(
    { prefix: context.keys.prefix },
    { ...options, keysOnly: true },
  )) {
    if (context.keys.parse(key)?.instanceId === instanceId) keys.push(key);
  }
  return keys;
}
