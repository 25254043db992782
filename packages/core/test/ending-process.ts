/** A process of its own that closes its coordinator when it is told to end: what it is to do is in its argument. */
import * as shared from '../src/global.js';
import { type CloseOnSignalOptions, closeOnSignal, createCoordinator } from '../src/index.js';

export interface EndingProcess {
  readonly endpoint: string;
  /** The service and the lock. */
  readonly name: string;
  readonly hook: CloseOnSignalOptions;
  /** Uses `@coord/core/global`; the hook is set before anything else. */
  readonly global?: boolean;
  /** `onDrained` never ends. */
  readonly serves?: boolean;
}

const given: EndingProcess = JSON.parse(process.argv[2] ?? '');
const { name } = given;
const config = { endpoints: [given.endpoint], requestTimeoutMs: 60_000 };
const instance = { name, id: 'one', address: '10.0.0.1', port: 8080 };

const hook: CloseOnSignalOptions = {
  ...given.hook,
  onDrained: async (signal) => {
    lock.assertHeld();
    await say(`served ${signal}`);
    if (given.serves) await new Promise(() => undefined);
  },
};

const lock = await (given.global ? startShared() : startOwn());

await say('ready');

async function startOwn() {
  const coordinator = await createCoordinator(config);
  const held = await coordinator.lock.acquire(name);
  await coordinator.registry.register(instance);
  closeOnSignal(coordinator, hook);
  return held;
}

async function startShared() {
  shared.configure(config);
  shared.closeOnSignal(hook);
  const held = await shared.acquireLock(name);
  await shared.registerService(instance);
  return held;
}

/** Resolves when it is on its way. */
function say(what: string): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(what, undefined, undefined, () => resolve());
  });
}
