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
await using services = createRegistry(serverClient, {
  ttlMs: 5_000,
  enableHealthCheck: true,
  healthCheckIntervalMs: 100,
});
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

// --- One is checked ---------------------------------------------------------------------------------------

// By a function, as here, by TCP ({ tcp: true }) or by grpc.health.v1 ({ grpc: true }). Only changes are written.
let works = true;
const check = { run: () => works, unhealthyAfter: 2, healthyAfter: 1 };
const three = await services.register({ name, id: 'three', address: '10.0.0.3:8080' }, { check });
await expectInstances('"three" registers', 3);
works = false;
await expectInstances('"three" fails its checks', 2);
works = true;
await expectInstances('"three" passes again', 3);

// --- Choosing ---------------------------------------------------------------------------------------------

// discover reads a live local copy: no call to etcd, and it goes on with what it knows while etcd is away.
const near = await caller.discover(name, { zone: 'eu-1' });
for (const { id, address, port } of near) console.log(`In zone eu-1: ${id} at ${address}:${port}`);

// --- Instances go -----------------------------------------------------------------------------------------

// drain tells everybody first, gives them a second to hear of it, and deletes afterwards: no call fails. A process
// that is told to end does so by itself with drainOnSignal(services); one that dies leaves with its lease instead.
await three.drain();
await expectInstances('"three" is drained', 2);
// deregister does not wait: for those who do not mind a call to an instance that has just gone.
await two.deregister();
await expectInstances('"two" deregisters', 1);
await services.close(); // deregisters whatever is left
await expectInstances('The services shut down', 0);
