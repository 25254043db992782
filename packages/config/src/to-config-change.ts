import { ValidationError } from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigChange } from './config-change.js';
import type { ConfigStore } from './config-store.js';
import { type ConfigValue, decodeConfigValue, readConfigValue } from './config-value.js';
import { type KeyState, lastVersion } from './key-state.js';

/** From one state of a key to the next. */
export interface StateChange {
  readonly key: string;
  readonly revision: bigint;
  readonly state: KeyState;
  readonly before: KeyState | undefined;
  /** Of what changed at that revision. */
  readonly last: boolean;
}

/** What a state says. An error: it is unusable; undefined: the key is absent. */
export type StateValue = ConfigValue | ValidationError | undefined;

/** The change as the consumer gets it. What is unusable becomes part of the event: the watch goes on. */
export function toConfigChange(
  { key, revision, state, before, last }: StateChange,
  current: StateValue,
  previous: StateValue,
): ConfigChange {
  const { external } = state;
  return {
    type: state.raw === undefined ? 'delete' : before === undefined ? 'create' : 'update',
    key,
    ...(current instanceof ValidationError ? { error: current } : current && { value: current.value }),
    ...(previous !== undefined && !(previous instanceof ValidationError) && { previous }),
    version: lastVersion(state) || lastVersion(before ?? state),
    revision,
    external,
    ...(!external && state.meta?.release !== undefined && { releaseId: state.meta.release }),
    last,
    timestamp: external || state.meta === undefined ? new Date() : new Date(state.meta.updateTime),
  };
}

/** What a state says, without a schema. */
export function plainValueOf(store: ConfigStore, key: string, state: KeyState): StateValue {
  if (state.raw === undefined) return undefined;
  try {
    return decodeConfigValue(store, key, state.raw, state);
  } catch (error) {
    return unusable(error);
  }
}

/** What a state says, if the schema takes it. */
export async function checkedValueOf(
  store: ConfigStore,
  key: string,
  state: KeyState,
  schema: StandardSchemaV1,
): Promise<StateValue> {
  if (state.raw === undefined) return undefined;
  try {
    return await readConfigValue(store, key, state.raw, state, schema);
  } catch (error) {
    return unusable(error);
  }
}

function unusable(error: unknown): ValidationError {
  if (error instanceof ValidationError) return error;
  return new ValidationError([{ path: 'value', message: 'the schema failed to check it' }], { cause: error });
}
