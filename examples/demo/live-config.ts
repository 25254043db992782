import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { type ConfigManager, createConfigManager } from '@coord/config-manager';
import * as z from 'zod';
import { now } from './clock.js';
import { ms, seconds } from './format.js';
import type { Stage } from './stage.js';
import { until, within } from './within.js';

const schema = z.object({
  requestsPerSecond: z.number().int().min(1).max(10_000),
  greeting: z.string().min(1),
});
type Settings = z.infer<typeof schema>;

const KEY = 'demo/greeter/limits';
const DEFAULTS: Settings = { requestsPerSecond: 100, greeting: 'hello' };
const PROMISED_MS = 1_000;

/** Act three: a running service, and an operator who changes its configuration from elsewhere. */
export async function liveConfig(stage: Stage): Promise<void> {
  const { client, story, endpoints, namespace, signal } = stage;
  story.act('A configuration that changes live');
  const elsewhere = await connect({ endpoints, namespace }, { signal });
  const operator = createConfigCenter(elsewhere);
  const config = createConfigCenter(client);
  const manager = createConfigManager({
    config,
    env: 'demo',
    service: 'greeter',
    component: 'limits',
    defaults: DEFAULTS,
    schema,
  });
  const reader = startReader(manager);
  try {
    await manager.start();
    story.line(`the service runs with its defaults: ${show(manager.current)}`);

    const liveMs = await applied(manager, () => operator.set(KEY, { requestsPerSecond: 250 }));
    story.line(`an operator sets requestsPerSecond to 250: in use ${ms(liveMs)} later, no restart`);
    const live = manager.current.requestsPerSecond === 250;

    const before = manager.current;
    await operator.set(KEY, { requestsPerSecond: -5 });
    const answered = () => manager.status.rejected !== undefined || manager.current !== before;
    await until('an answer to the invalid change', answered, { signal });
    const { rejected } = manager.status;
    const reason = rejected?.issues.map(({ path, message }) => `${path}: ${message}`).join('; ');
    const kept = manager.current === before;
    story.line(`the operator sets it to -5: ${kept ? 'refused' : 'TAKEN'}, "${reason}"`);
    story.line(`the service goes on with ${show(manager.current)}`);

    const correctedMs = await applied(manager, () => operator.set(KEY, { requestsPerSecond: 500 }));
    story.line(`the operator corrects it to 500: in use ${ms(correctedMs)} later`);
    const corrected = manager.current.requestsPerSecond === 500 && manager.status.rejected === undefined;

    const { reads, seen } = await reader.stop();
    const expected = [DEFAULTS.requestsPerSecond, 250, 500];
    stage.check({
      act: 'Config',
      promise: `a change is in use within ${seconds(PROMISED_MS)}`,
      measured: `after ${ms(liveMs)} and ${ms(correctedMs)}`,
      kept: live && corrected && Math.max(liveMs, correctedMs) <= PROMISED_MS,
    });
    stage.check({
      act: 'Config',
      promise: 'an invalid change is refused',
      measured: `${reads} reads of it saw only ${seen.join(', ')}`,
      kept: kept && reason !== undefined && seen.every((value) => expected.includes(value)),
    });
  } finally {
    await reader.stop();
    await manager.stop();
    await config.close();
    await operator.close();
    await elsewhere.close();
  }
}

/** How long after the beginning of a write the service uses what was written. */
async function applied(manager: ConfigManager<Settings>, write: () => Promise<unknown>): Promise<number> {
  let unsubscribe = () => {};
  const told = new Promise<number>((resolve) => {
    unsubscribe = manager.subscribe(() => resolve(now()));
  });
  try {
    const startedAt = now();
    await write();
    return (await within(5_000, 'the change to be applied', told)) - startedAt;
  } finally {
    unsubscribe();
  }
}

/** The service at work: it reads its configuration all the time. */
function startReader(manager: ConfigManager<Settings>) {
  const seen = new Set<number>();
  let reads = 0;
  let stopped = false;
  const read = () => {
    seen.add(manager.current.requestsPerSecond);
    reads += 1;
  };
  const reading = (async () => {
    while (!stopped) {
      read();
      await sleep(1);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await reading;
      read();
      return { reads, seen: [...seen] };
    },
  };
}

function show(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');
}
