/** A process of its own that leaves while etcd is away, and tells what would keep it alive then. */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect } from '@coord/client';
import { createRegistry } from '../src/index.js';

const [endpoint = ''] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint], requestTimeoutMs: 200 });
const registry = createRegistry(client);
const ids = Array.from({ length: 20 }, (_, index) => `i${index}`);
const patient = { timeoutMs: 20_000 }; // on a busy machine 200 ms are not much
await Promise.all(ids.map((id) => registry.register({ name: 'user', id, address: '10.0.0.1:1' }, patient)));
process.send?.({ registered: ids.length });
await once(process, 'message');
await registry.close({ timeoutMs: 1_000 });
await client.close();
await nextTurn();
process.send?.({ waitsFor: process.getActiveResourcesInfo() });
