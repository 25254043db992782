import { deepEqual, equal, ok } from 'node:assert/strict';
import {
  type ClientOptions,
  type CoordClient,
  CoordError,
  connect,
  type Session,
  ValidationError,
} from '@coord/client';

const endpoints = [process.env.COORD_ENDPOINTS ?? '127.0.0.1:2379'];

async function main(): Promise<void> {
  const options: ClientOptions = { endpoints, namespace: `/consumer-${process.pid}` };
  const client: CoordClient = await connect(options);
  try {
    const session: Session = await client.session({ ttlMs: 10_000 });
    const watch = client.watch({ prefix: '/greetings/' });
    await watch.ready;
    const { revision } = await client.kv.put('/greetings/en', 'hello', { session });
    for await (const batch of watch) {
      deepEqual(
        batch.events.map(({ type, kv }) => `${type} ${kv.key} ${kv.text()}`),
        ['put /greetings/en hello'],
      );
      equal(batch.revision, revision);
      break;
    }
    await session.close();
    equal(await client.kv.get('/greetings/en'), undefined);
    const refused: unknown = await connect({ ...options, endpoints: ['no port'] }).catch(
      (error: unknown) => error,
    );
    ok(refused instanceof ValidationError && CoordError.is(refused));
    equal(refused.issues[0]?.path, 'endpoints[0]');
  } finally {
    await client.close();
  }
  console.log('done');
}

void main();
