/**
 * A process of its own that uses etcd with the environment it was given: first through Coord, and when
 * told to, through etcd3 as it is.
 */
import { once } from 'node:events';
import { Etcd3 } from 'etcd3';
import { connect } from '../src/index.js';

export interface Used {
  readonly read: string | undefined;
  readonly seen: string | undefined;
  readonly session: string;
}

const [endpoint = '', key = ''] = process.argv.slice(2);

const client = await connect({ endpoints: [endpoint] });
const watch = client.watch(key);
await watch.ready;
const session = await client.session({ ttlMs: 10_000 });
await client.kv.put(key, 'written', { session });
const batch = await watch[Symbol.asyncIterator]().next();
const used: Used = {
  read: (await client.kv.get(key))?.text(),
  seen: batch.value?.events[0]?.kv.text(),
  session: session.state,
};
process.send?.(used);

await once(process, 'message');
const plain = new Etcd3({ hosts: endpoint });
const answer = await plain
  .get(key)
  .options({ deadline: Date.now() + 5_000 })
  .string()
  .catch((error: Error) => error.message);
process.send?.(answer);
plain.close();
await client.close();
process.disconnect();
