import { eventually } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { type LoadBalanceStrategy, registerResolver } from '../../src/index.js';
import { answerers, type Stage, who } from './stage.js';

export function strategiesOfA(stage: Stage): void {
  describe('GetConnection(strategy), 4 strategies', () => {
    it('GetConnection', async () => {
      const name = stage.unique();
      await stage.serve(name, { one: 1 });
      const connection = await stage.other.getConnection(name);
      expect(await who(connection.client(grpc.Client))).toBe('one');
    });

    const strategies: readonly (readonly [goName: string, LoadBalanceStrategy])[] = [
      ['LoadBalanceRoundRobin', 'round_robin'],
      ['LoadBalanceRandom', 'random'],
      ['LoadBalanceLeastConn', 'least_conn'],
    ];

    it.each(strategies)('%s', async (_goName, strategy) => {
      const name = stage.unique();
      await stage.serve(name, { one: 1, two: 1 });
      const connection = await stage.other.getConnection(name, { strategy });
      await bothAnswer(connection.client(grpc.Client));
    });

    it('LoadBalanceWeighted', async () => {
      const name = stage.unique();
      await stage.serve(name, { heavy: 3, light: 1 });
      const connection = await stage.other.getConnection(name, { strategy: 'weighted' });
      const client = connection.client(grpc.Client);
      await bothAnswer(client);
      const answers = [];
      for (let call = 0; call < 40; call++) answers.push(await who(client));
      expect(answers.filter((answer) => answer === 'heavy')).toHaveLength(30);
    });
  });
}

/** Calls go to those that are connected; the second may be so a moment later. */
async function bothAnswer(client: grpc.Client): Promise<void> {
  await eventually(async () => expect((await answerers(client, 20)).size).toBe(2), { timeoutMs: 30_000 });
}

export function connectionsOfB(stage: Stage): void {
  describe('GetConnection, resolver, round_robin, pick_first', () => {
    it('GetConnection', async () => {
      const name = stage.unique();
      await stage.serve(name, { one: 1 });
      const connection = await stage.coordinator.getConnection(name);
      await connection.waitForReady({ timeoutMs: 30_000 });
      expect(await who(connection.client(grpc.Client))).toBe('one');
    });

    it('the resolver', async () => {
      const name = stage.unique();
      await stage.serve(name, { one: 1 });
      await using handle = registerResolver({ registry: stage.other.registry });
      const client = new grpc.Client(handle.target(name), grpc.credentials.createInsecure());
      try {
        expect(handle.target(name)).toBe(`etcd:///${name}`);
        expect(await who(client)).toBe('one');
      } finally {
        client.close();
      }
    });

    it('round_robin', async () => {
      const name = stage.unique();
      await stage.serve(name, { one: 1, two: 1 });
      const connection = await stage.coordinator.getConnection(name, { strategy: 'round_robin' });
      const client = connection.client(grpc.Client);
      await bothAnswer(client);
      const turns = [await who(client), await who(client), await who(client), await who(client)];
      expect(turns).toEqual([turns[0], turns[1], turns[0], turns[1]]);
    });

    it('pick_first', async () => {
      const name = stage.unique();
      await stage.serve(name, { one: 1, two: 1 });
      const connection = await stage.coordinator.getConnection(name, { strategy: 'pick_first' });
      expect((await answerers(connection.client(grpc.Client), 10)).size).toBe(1);
    });
  });
}
