import {
  type CallOptions,
  type KeyValue,
  type KV,
  ResourceExhaustedError,
  type TxnResult,
} from '@coord/client';
import type { HealthStatus } from './service-info.js';
import { patchValue } from './service-value.js';

export type RemovalOutcome =
  /** It was there and is gone. */
  | 'removed'
  /** There was nothing to remove. */
  | 'absent'
  /** The key belongs to somebody else by now, and was left alone. */
  | 'replaced';

/** How to say goodbye where more is to be said than `leaving`. */
export interface Farewell {
  /** The health that the goodbye shows, to readers who do not know `leaving`. */
  readonly health: HealthStatus;
  /** What to wait for between the goodbye, once etcd has it, and the delete. */
  readonly propagated: () => Promise<void>;
}

/**
 * Removes an instance in two steps: first it says `leaving`, keeping its lease, so that everyone who
 * watches knows that the delete which follows is meant; then the key goes. Each step is guarded by the
 * revision it has seen, so it may be repeated after a lost answer and never touches a successor.
 */
export async function removeInstance(
  kv: KV,
  key: string,
  owns: (present: KeyValue) => boolean,
  options: CallOptions,
  farewell?: Farewell,
): Promise<RemovalOutcome> {
  const call = { ...options, idempotent: true };
  let removing = false;
  let propagated = farewell === undefined;
  let speechless = false;
  let present = await kv.get(key, call);
  for (;;) {
    if (present === undefined) {
      if (!propagated) await farewell?.propagated(); // its lease has run out: that, too, others have to hear of
      return removing ? 'removed' : 'absent';
    }
    if (!owns(present)) return 'replaced';
    removing = true;
    const saysLeaving = speechless ? undefined : leavingValue(present, farewell?.health);
    if (saysLeaving === undefined && !propagated && !speechless) {
      await farewell?.propagated();
      propagated = true;
    }
    let result: TxnResult;
    try {
      result = await kv.txn(
        {
          compare: [{ key, target: 'mod', is: '=', to: present.modRevision }],
          success:
            saysLeaving === undefined
              ? [{ delete: key }]
              : [{ put: { key, value: saysLeaving, ignoreLease: true } }, { get: key }],
          failure: [{ get: key }],
        },
        call,
      );
    } catch (error) {
      if (saysLeaving === undefined || !(error instanceof ResourceExhaustedError)) throw error;
      // No space for a goodbye; deletes are taken all the same. It may have been written even so.
      speechless = true;
      present = await kv.get(key, call);
      continue;
    }
    if (result.succeeded && saysLeaving === undefined) {
      if (!propagated) await farewell?.propagated(); // the delete is all that others hear of
      return 'removed';
    }
    const read = result.responses.find((response) => response.type === 'get');
    present = read?.kvs[0];
  }
}

/** The value that says `leaving`; undefined when it says so already, or cannot say anything. */
function leavingValue(present: KeyValue, health: HealthStatus | undefined): string | undefined {
  try {
    const value: unknown = present.json();
    if (typeof value === 'object' && value !== null && 'leaving' in value && value.leaving === true) {
      return undefined;
    }
    return patchValue(present, { leaving: true, ...(health && { health }) });
  } catch {
    return undefined; // no instance anyone could have discovered
  }
}
