import * as grpc from '@grpc/grpc-js';
import { afterEach, expect, it, vi } from 'vitest';
import { cleanLater, cleanUp, follow, HandMadeList } from '../test/hand-made-list.js';
import { burst, startWho, type WhoServer, who } from '../test/who-service.js';
import { registerPolicies } from './register-policies.js';

registerPolicies(grpc);
afterEach(cleanUp);

const SERVERS = 5;
const STEPS = 60;

/** Numbers that look random, the same ones for a seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Lists, weights, crashes, comebacks and cancelled calls in any order, while calls go on. */
it.each([
  ['coord_weighted', 1],
  ['coord_least_conn', 2],
  ['coord_least_conn', 3],
  ['coord_p2c', 4],
  ['coord_random', 5],
])(
  '%s stays right through anything, seed %i',
  async (policy, seed) => {
    const random = randomFrom(seed);
    const servers: WhoServer[] = [];
    for (let i = 0; i < SERVERS; i++) servers.push(await startWho(`s${i}`));
    cleanLater(() => {
      for (const server of servers) server.kill();
    });
    const up = new Set(servers.map(({ name }) => name));
    const list = new HandMadeList();
    list.set(...servers);
    const { client } = follow(list, { policy });
    await who(client);

    let pending = 0;
    const call = () => {
      pending += 1;
      return client.who(Buffer.alloc(0), { deadline: Date.now() + 20_000 }, () => {
        pending -= 1;
      });
    };
    for (let step = 0; step < STEPS; step++) {
      const index = random(SERVERS);
      const server = servers[index];
      if (server === undefined) continue;
      const action = random(5);
      if (action === 0) {
        const listed = servers.filter(() => random(3) > 0);
        list.set(...listed.map(({ port }) => ({ port, weight: random(4) })));
        await new Promise(setImmediate);
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => who(client).catch(() => undefined)),
        );
        const names = listed.map(({ name }) => name);
        for (const name of answers) if (name !== undefined) expect(names).toContain(name);
      } else if (action === 1 && up.size > 1 && up.delete(server.name)) {
        server.kill();
      } else if (action === 2 && !up.has(server.name)) {
        servers[index] = await startWho(server.name); // at a new address, which the next list has
        up.add(server.name);
      } else {
        const calls = Array.from({ length: 10 }, call);
        await new Promise(setImmediate);
        for (const each of calls.filter(() => random(2) === 0)) each.cancel();
      }
    }

    // Whatever has been: with everybody back, each call comes to an end, all serve, and nothing is still counted.
    await vi.waitFor(() => expect(pending).toBe(0), { timeout: 20_000 });
    for (const [index, { name, port }] of servers.entries()) {
      if (!up.has(name)) servers[index] = await startWho(name, port);
    }
    list.set(...servers);
    const even = Object.fromEntries(servers.map(({ name }) => [name, 20]));
    await vi.waitFor(
      async () => {
        const answers = await burst(client, 20 * SERVERS);
        if (policy === 'coord_random' || policy === 'coord_p2c')
          expect(Object.keys(answers)).toHaveLength(SERVERS);
        else expect(answers).toEqual(even);
      },
      { timeout: 30_000 },
    );
  },
  90_000,
);
