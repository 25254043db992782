import { afterEach } from 'vitest';

/** @returns what takes things that are to be closed when the test has ended, the last one first, and gives them back */
export function closedAfterEach(): <T extends { close(): Promise<unknown> }>(thing: T) => T {
  const things: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const thing of things.splice(0).reverse()) await thing.close();
  });
  return (thing) => {
    things.push(thing);
    return thing;
  };
}
