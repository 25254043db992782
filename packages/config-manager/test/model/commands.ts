import fc from 'fast-check';
import type { World } from './world.js';

type Run = (world: World) => Promise<unknown>;

/** Something that may happen at any time. */
class Command implements fc.AsyncCommand<object, World> {
  readonly #name: string;
  readonly #run: Run;

  constructor(name: string, run: Run) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  async run(_model: object, world: World): Promise<void> {
    await this.#run(world);
    world.observer.assertContent();
  }

  toString(): string {
    return this.#name;
  }
}

async function write(world: World, value: (number: number) => unknown, outside: boolean): Promise<void> {
  const number = world.nextNumber;
  const content = value(number);
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  // Noted first: the manager may be faster than the answer to the writer.
  world.written.push({ kind: isValid(content) ? 'valid' : 'invalid', number });
  if (outside) await world.t.client.kv.put(world.raw, text);
  else await world.config.set(world.place.key, content);
}

function isValid(content: unknown): boolean {
  return typeof content === 'object' && content !== null && 'first' in content && 'second' in content
    ? content.first === content.second
    : false;
}

const VALUES: Record<string, (number: number) => unknown> = {
  valid: (number) => ({ first: number, second: number }),
  'with a wrong type': (number) => ({ first: number, second: 'x' }),
  'that is half': (number) => ({ first: number, second: number - 1 }),
  'that is no object': (number) => [number],
  'that cannot be parsed': (number) => `{"first":${number}`,
  'that reaches for a prototype': (number) => `{"__proto__":{"first":${number}}}`,
};

/** Programs of 15 to 30 commands. */
export function commands(): fc.Arbitrary<readonly Command[]> {
  const value = fc.oneof(
    { weight: 5, arbitrary: fc.constant('valid') },
    { weight: 3, arbitrary: fc.constantFrom(...Object.keys(VALUES)) },
  );
  const writing = fc.record({ value, outside: fc.boolean() }).map(({ value: kind, outside }) => {
    const make = VALUES[kind] ?? String;
    return new Command(`${outside ? 'put' : 'set'} ${kind}`, (world) => write(world, make, outside));
  });
  const deleting = command('delete', async (world) => {
    world.written.push({ kind: 'absent', number: 0 });
    await world.config.delete(world.place.key);
  });
  const failing = fc.integer({ min: 1, max: 3 }).map(
    (times) =>
      new Command(`fail ${times} times`, async (world) => {
        world.failures = times;
      }),
  );
  const burst = command('write five', async (world) => {
    for (let i = 0; i < 5; i++) await write(world, VALUES.valid ?? String, i % 2 === 0);
  });
  const one = fc.oneof(
    { weight: 6, arbitrary: writing },
    burst,
    deleting,
    failing,
    command('cut', (world) => world.cut()),
    command('heal', (world) => world.heal()),
    command('compact', (world) => world.t.etcd.compact()),
    command('reload', (world) => world.manager.reload().catch(() => undefined)),
    command('settle', (world) => world.settle()),
    command('stop and start', async ({ manager }) => {
      await manager.stop();
      await manager.start();
    }),
    command('another process', (world) => world.replaceManager()),
  );
  return fc.array(one, { minLength: 15, maxLength: 30, size: 'max' });
}

function command(name: string, run: Run): fc.Arbitrary<Command> {
  return fc.constant(new Command(name, run));
}
