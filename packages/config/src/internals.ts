import type { CoordClient, Range } from '@coord/client';
import { type CoordLogger, hasBrand } from '@coord/client/internal';
import type { Alongside, Decide } from './change.js';
import { commit } from './commit.js';
import type { Annotations, ConfigCenter } from './config-center-types.js';
import type { ConfigWatch } from './config-change.js';
import { type ConfigStore, readState } from './config-store.js';
import type { Content } from './content.js';
import type { Keyring } from './keyring.js';
import { INTERNAL_ROOT } from './options.js';
import { type ReadTogether, readTogether } from './read-together.js';
import type { Commit } from './write-attempt.js';
import { decidePut, isSecret } from './write-decisions.js';

/** What the sibling packages may use of a config centre, beyond its public face. */
export interface ConfigCenterInternals {
  readonly logger: CoordLogger;
  readonly client: CoordClient;
  /** What this centre encrypts and decrypts with. */
  readonly keyring: Keyring;
  /** Everything beside the raw values of this centre is below it. Ends without a slash. */
  readonly recordRoot: string;
  /**
   * As `watch` with `initial`, for many who hand on what they get as copies only: they share the values, which are
   * frozen (bytes cannot be).
   */
  watchShared(key: string): ConfigWatch;
  readTogether(keys: readonly string[], others: readonly Range[], signal: AbortSignal): Promise<ReadTogether>;
  /** Whether the present value of a key is stored encrypted. */
  isEncrypted(key: string, signal: AbortSignal | undefined): Promise<boolean>;
  /**
   * Makes a new version of a key, and what else is given, in one transaction.
   * @throws {ConflictError} when the conditions of what else is given do not hold
   */
  setAlongside(
    key: string,
    value: { readonly content: Content } & Pick<Annotations, 'author' | 'comment'>,
    alongside: Alongside,
    signal: AbortSignal,
  ): Promise<Commit>;
}

export const INTERNALS: unique symbol = Symbol.for('@coord/config.internals');

export function makeInternals(
  store: ConfigStore,
  watchShared: ConfigCenterInternals['watchShared'],
): ConfigCenterInternals {
  return {
    logger: store.logger,
    client: store.client,
    keyring: store.keyring,
    recordRoot: `${INTERNAL_ROOT}${store.options.keyPrefix}`,
    watchShared,
    readTogether: (keys, others, signal) => readTogether(store, keys, others, signal),
    isEncrypted: async (key, signal) => isSecret(await readState(store, key, signal)),
    setAlongside(key, value, alongside, signal) {
      const decide = decidePut(store.keyring, key, { ...value, operation: 'put', force: true });
      const both: Decide = (state) => {
        const change = decide(state);
        return change && { ...change, alongside };
      };
      return commit(store, key, both, signal);
    },
  };
}

/** The internals of a centre that `createConfigCenter` made; undefined for any other. */
export function internalsOfCenter(center: ConfigCenter): ConfigCenterInternals | undefined {
  return hasBrand(center, INTERNALS) ? (center[INTERNALS] as ConfigCenterInternals) : undefined;
}
