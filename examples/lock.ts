/**
 * Locks: one at a time, in the order of asking, and a token that exposes latecomers.
 *
 *   npm run example -- lock
 */
import { connect } from '@coord/client';
import { createLocks, type Lock, LockConflictError, LockNotHeldError } from '@coord/lock';
import { findEtcd } from './support/etcd.js';

await using etcd = await findEtcd();

// Three workers, each with a connection of its own: they could as well be three machines.
await using ana = await connect({ endpoints: etcd.endpoints });
await using ben = await connect({ endpoints: etcd.endpoints });
await using eve = await connect({ endpoints: etcd.endpoints });
const locks = { ana: createLocks(ana), ben: createLocks(ben), eve: createLocks(eve) };

// A name of its own for each run, so that the example can be run twice at once.
const name = `nightly-report-${process.pid}`;
const say = (who: string, what: string) => console.log(`${who}: ${what}`);

// --- 1. Who comes first is served first -------------------------------------------------------------------

const first = await locks.ana.acquire(name, { purpose: 'report of today' });
say('ana', 'I have the lock.');

// tryAcquire does not wait. The error knows who is in the way, and what for.
try {
  await locks.eve.tryAcquire(name);
} catch (error) {
  if (!(error instanceof LockConflictError)) throw error;
  say('eve', `Taken, so I do something else meanwhile: "${error.holder?.purpose}" is running.`);
}

// acquire waits its turn, here at most ten seconds.
const waiting = locks.ben.acquire(name, { timeoutMs: 10_000 });
await first.release();
say('ana', 'I am done.');
const second = await waiting;
say('ben', 'Now it is mine.');

// The fencing token rises with each grant. A resource that refuses older tokens is safe even from a
// worker that slept through the loss of its lock.
say('ben', `My token is higher than the one before: ${second.fencingToken > first.fencingToken}.`);

// --- 2. Writing only while the lock is held ---------------------------------------------------------------

// For data in etcd there is no need to compare tokens by hand: txn commits only while the lock is held.
const publish = (lock: Lock, by: string) =>
  lock.txn({ success: [{ put: { key: `/reports/${name}`, value: by } }] });

await publish(second, 'ben');
say('ben', 'My report is written.');

// --- 3. Losing a lock -------------------------------------------------------------------------------------

// Somebody removes ben's key by hand, as an operator might. (A lease that ran out ends the same way.)
const lost = new Promise((resolve) => second.signal.addEventListener('abort', resolve, { once: true }));
await ana.kv.delete(second.etcdKey);
await lost;
say('ben', 'I am told at once that I lost it: pass lock.signal to whatever you do under the lock.');

const third = await locks.eve.acquire(name);
await publish(third, 'eve');
say('eve', 'It was free, and I wrote my report.');

try {
  await publish(second, 'ben, late');
} catch (error) {
  if (!(error instanceof LockNotHeldError)) throw error;
  say('ben', 'I tried to write all the same, and was refused.');
}
console.log(`\nIn etcd: the report of ${(await ana.kv.get(`/reports/${name}`))?.text()}.`);

await third.release();
await ana.kv.delete(`/reports/${name}`);
