/** A process of its own that drains when it is told to end: what it is to do is in its argument. */
import { connect } from '@coord/client';
import { createRegistry, type DrainOnSignalOptions, drainOnSignal } from '../src/index.js';

export interface DrainingProcess {
  readonly endpoint: string;
  readonly name: string;
  /** A registry with an instance of this id, and a hook with these options, for each. */
  readonly hooks: Readonly<Record<string, DrainOnSignalOptions>>;
  readonly ttlMs?: number;
  /** Takes the hooks away again. */
  readonly unhooked?: boolean;
  /** Listens to the signal itself, once, and ends with this code after the drain. */
  readonly ownExitCode?: number;
}

const given: DrainingProcess = JSON.parse(process.argv[2] ?? '');
const client = await connect({ endpoints: [given.endpoint], logLevel: 'error' });
const { name, ownExitCode, ttlMs } = given;

if (ownExitCode !== undefined) process.once('SIGTERM', () => void say('heard'));
for (const [id, options] of Object.entries(given.hooks)) {
  const registry = createRegistry(client, { ttlMs });
  await registry.register({ name, id, address: '10.0.0.1', port: 8080 });
  const onDrained = async () => {
    await say(`drained ${id}`);
    await say(`served ${id}`);
    // Later than an exit by the hook would be.
    if (ownExitCode !== undefined) setTimeout(() => process.exit(ownExitCode), 50);
  };
  const hook = drainOnSignal(registry, { ...options, onDrained });
  if (given.unhooked) await hook.close();
}
process.on('message', () => void say('alive'));
await say('ready');

/** Resolves when it is on its way. */
function say(what: string): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(what, undefined, undefined, () => resolve());
  });
}
