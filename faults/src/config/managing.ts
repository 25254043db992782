import type { ConfigCenter } from '@coord/config';
import { type ConfigManager, createConfigManager } from '@coord/config-manager';
import { eventually } from '@coord/testkit';
import type { WorkerContext } from '../run/worker-context.js';
import { COMPONENT, ENV } from './config-names.js';
import { type ConfigShapes, isValid, type Setting } from './config-operations.js';

/** How often `current` is looked at, besides each change that is told. */
const LOOK_MS = 5;
/** How long a manager may take to come to the last value when nothing fails any more. */
const LAST_MS = 40_000;

/** Notes all that a manager shows, until it shows the last value. */
export async function manage(context: WorkerContext<ConfigShapes>, config: ConfigCenter): Promise<void> {
  const { recorder, stopped, assignment } = context;
  const defaults: Setting = { id: '', read: '', low: 0, high: 0, last: false };
  const manager: ConfigManager<Setting> = createConfigManager({
    ...{ config, env: ENV, service: assignment.run, component: COMPONENT, defaults },
    validate: (next) => (isValid(next) ? undefined : 'low is above high'),
  });
  let before: Setting = defaults;
  const look = () => {
    const { current } = manager;
    if (current === before) return;
    recorder.observe('expose', {}, current);
    if (context.isPlanted('older value')) recorder.observe('expose', {}, before);
    before = current;
  };
  manager.subscribe(look);
  const looking = setInterval(look, LOOK_MS);
  await manager.start();
  await new Promise<void>((resolve) => {
    if (stopped.aborted) resolve();
    else stopped.addEventListener('abort', () => resolve());
  });
  await eventually(() => manager.current.last, { timeoutMs: LAST_MS }).catch(() => undefined); // the check will tell
  clearInterval(looking);
  look();
  recorder.observe('over', {}, manager.current);
  await manager.stop();
}
