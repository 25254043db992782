import type { Instance } from './service-states.js';

/** How an instance shows in a list; undefined: not at all. */
export type Shown = (instance: Instance) => string | undefined;

export interface Showing {
  readonly shown: Shown;
  /** Whether instances that vanish without a goodbye are held when nobody healthy would be left. */
  readonly holds: boolean;
}

/** All that are not leaving. */
export const WHOLE: Shown = (instance) => (instance.leaving ? undefined : shownInstance(instance));

export const HEALTHY: Shown = (instance) => (instance.health === 'healthy' ? WHOLE(instance) : undefined);

/** Where to call those that are healthy. */
export const ADDRESS: Shown = ({ leaving, health, address }) =>
  leaving || health !== 'healthy' ? undefined : address;

/** The same for the same write of an instance, and another for any other. */
export function shownInstance({
  id,
  registration,
  health,
  heartbeat,
}: Omit<Instance, 'leaving' | 'address'>): string {
  return [id, registration, health, heartbeat].join(' ');
}
