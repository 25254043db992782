/**
 * Registry: instances come, fall ill and go, and everybody who watches knows.
 *
 *   npm run example -- registry
 */
import { connect } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { findEtcd } from './support/etcd.js';

await using etcd = await findEtcd();

// The services on one side, somebody who calls them on the other.
await using serverClient = await connect({ endpoints: etcd.endpoints });
await using callerClient = await connect({ endpoints: etcd.endpoints });
await using services = createRegistry(serverClient, { ttlMs: 5_000 });
await using caller = createRegistry(callerClient);

// A name of its own for each run, so that the example can be run twice at once.
const name = `user-service-${process.pid}`;

// The list as a whole, at each change. It holds the healthy instances, unless told otherwise.
const lists = caller.watchInstances(name);
async function expectInstances(what: string, count: number): Promise<void> {
  for (;;) {
    const { value: list, done } = await lists.next();
    if (done) throw new Error('the watch has ended');
    // A list on the way may be older than what we did last; it is followed by another one.
    if (list.length !== count) continue;
    const ids = list.map(({ id }) => id).sort();
    console.log(`${what.padEnd(28)} -> ${ids.join(', ') || 'nobody'}`);
    return;
  }
}

await expectInstances('At first', 0);

// --- Instances come ---------------------------------------------------------------------------------------

// An instance stays registered until it says otherwise: over lost connections, restarts of etcd, lost leases.
const one = await services.register({ name, id: 'one', address: '10.0.0.1', port: 8080 });
await expectInstances('"one" registers', 1);
const two = await services.register({ name, id: 'two', address: '10.0.0.2:8080', zone: 'eu-1' });
await expectInstances('"two" registers', 2);

// --- One falls ill, and recovers --------------------------------------------------------------------------

// It stays registered, and gets no calls.
await one.updateHealth('maintenance');
await expectInstances('"one" is in maintenance', 1);
const all = await caller.discover(name, { health: 'any' });
console.log(
  `${'… and still registered'.padEnd(28)} -> ${all
    .map(({ id, health }) => `${id} is ${health}`)
    .sort()
    .join(', ')}`,
);
await one.updateHealth('healthy');
await expectInstances('"one" is healthy again', 2);

// --- Choosing ---------------------------------------------------------------------------------------------

// discover reads a live local copy: no call to etcd, and it goes on with what it knows while etcd is away.
const near = await caller.discover(name, { filter: ({ zone }) => zone === 'eu-1' });
for (const { id, address, port } of near) console.log(`In zone eu-1: ${id} at ${address}:${port}`);

// --- Instances go -----------------------------------------------------------------------------------------

// deregister tells everybody first and deletes afterwards. A process that dies leaves with its lease instead.
await two.deregister();
await expectInstances('"two" deregisters', 1);
await services.close(); // deregisters whatever is left
await expectInstances('The services shut down', 0);
