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
  /** Listens to SIGINT itself, and ends with this code once the coordinator is closed. */
  readonly ownExitCode?: number;
}

const given: EndingProcess = JSON.parse(process.argv[2] ?? '');
const { name, ownExitCode } = given;
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

const { lock, close } = await (given.global ? startShared() : startOwn());

if (ownExitCode !== undefined) {
  process.once('SIGINT', () => undefined);
  lock.signal.addEventListener('abort', () => {
    void say('released')
      .then(close)
      .then(() => process.exit(ownExitCode));
  });
}
await say('ready');

async function startOwn() {
  const coordinator = await createCoordinator(config);
  const held = await coordinator.lock.acquire(name);
  await coordinator.registry.register(instance);
  closeOnSignal(coordinator, hook);
  return { lock: held, close: () => coordinator.close() };
}

async function startShared() {
  shared.configure(config);
  shared.closeOnSignal(hook);
  const held = await shared.acquireLock(name);
  await shared.registerService(instance);
  return { lock: held, close: () => shared.close() };
}

/** Resolves when it is on its way. */
function say(what: string): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(what, undefined, undefined, () => resolve());
  });
}
