import type { CoordLogger } from '@coord/client/internal';
import type { ConfigCenter } from './config-center-types.js';

/** What the sibling packages may use of a config centre, beyond its public face. */
export interface ConfigCenterInternals {
  readonly logger: CoordLogger;
}

export const INTERNALS: unique symbol = Symbol.for('@coord/config.internals');

/** The internals of a centre that `createConfigCenter` made; undefined for any other. */
export function internalsOfCenter(center: ConfigCenter): ConfigCenterInternals | undefined {
  return INTERNALS in center ? (center[INTERNALS] as ConfigCenterInternals) : undefined;
}
