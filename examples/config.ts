/**
 * Config centre: versions, no lost update, history, and a watch that misses nothing.
 *
 *   npm run example -- config
 */
import { connect } from '@coord/client';
import { createConfigCenter, VersionConflictError } from '@coord/config';
import { findEtcd } from './support/etcd.js';

interface HttpConfig {
  readonly port: number;
  readonly timeoutMs: number;
}

await using etcd = await findEtcd();
await using client = await connect({ endpoints: etcd.endpoints });
await using config = createConfigCenter(client);

// A key of its own for each run, so that the example can be run twice at once.
const key = `prod/orders-${process.pid}/http`;

// From here on the watch sees each change once and in order, over any number of lost connections.
const watch = config.watch<HttpConfig>(key);
await watch.ready;

// --- 1. Two people change the same thing ------------------------------------------------------------------

await config.set<HttpConfig>(key, { port: 8080, timeoutMs: 1_000 }, { author: 'ana', comment: 'first' });

// Both read version 1 …
const forBen = await config.get<HttpConfig>(key);
const forEve = await config.get<HttpConfig>(key);
// … ben writes first …
await config.compareAndSet(key, { ...forBen.value, port: 9090 }, forBen.version, { author: 'ben' });
// … and eve, who has not seen ben's change, is stopped instead of overwriting it.
try {
  await config.compareAndSet(key, { ...forEve.value, timeoutMs: 1 }, forEve.version, { author: 'eve' });
} catch (error) {
  if (!(error instanceof VersionConflictError)) throw error;
  console.log(`eve's write was refused: she knew version ${error.expected}, it is ${error.actual} now`);
}

// She reads again, decides again, and writes.
const again = await config.get<HttpConfig>(key);
await config.compareAndSet(key, { ...again.value, timeoutMs: 1 }, again.version, {
  author: 'eve',
  comment: 'faster!',
});

// --- 2. That was a mistake --------------------------------------------------------------------------------

// A rollback is a new version with an old value, so it is in the history like everything else.
await config.rollback(key, 2, { author: 'ana', comment: 'one millisecond is too short' });

console.log('\nThe history, newest first:');
for (const { version, operation, author, comment, value } of await config.getHistory(key)) {
  console.log(
    `  ${version}  ${operation.padEnd(8)} by ${author}  ${JSON.stringify(value)}  ${comment ?? ''}`,
  );
}

// --- 3. What the watch saw --------------------------------------------------------------------------------

await config.delete(key);
console.log('\nThe watch:');
for await (const { type, version, value } of watch) {
  console.log(`  ${type} to version ${version}${value ? `: port ${value.port}, ${value.timeoutMs} ms` : ''}`);
  if (type === 'delete') break;
}
