import type { CoordClient, Range } from '@coord/client';
import type { CoordLogger } from '@coord/client/internal';
import type { ConfigCenter } from './config-center-types.js';
import type { ConfigStore } from './config-store.js';
import { INTERNAL_ROOT } from './options.js';
import { type ReadTogether, readTogether } from './read-together.js';

/** What the sibling packages may use of a config centre, beyond its public face. */
export interface ConfigCenterInternals {
  readonly logger: CoordLogger;
  readonly client: CoordClient;
  /** Everything beside the raw values of this centre is below it. Ends without a slash. */
  readonly recordRoot: string;
  readTogether(
    keys: readonly string[],
    others: Range | undefined,
    signal: AbortSignal,
  ): Promise<ReadTogether>;
}

export const INTERNALS: unique symbol = Symbol.for('@coord/config.internals');

export function makeInternals(store: ConfigStore): ConfigCenterInternals {
  return {
    logger: store.logger,
    client: store.client,
    recordRoot: `${INTERNAL_ROOT}${store.options.keyPrefix}`,
    readTogether: (keys, others, signal) => readTogether(store, keys, others, signal),
  };
}

/** The internals of a centre that `createConfigCenter` made; undefined for any other. */
export function internalsOfCenter(center: ConfigCenter): ConfigCenterInternals | undefined {
  return INTERNALS in center ? (center[INTERNALS] as ConfigCenterInternals) : undefined;
}
