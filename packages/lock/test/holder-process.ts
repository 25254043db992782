/** A process of its own that holds a lock, for tests that pause or kill it. */
import { connect } from '@coord/client';
import { createLocks } from '../src/index.js';

const [endpoint = '', name = '', ttlMs = ''] = process.argv.slice(2);

const client = await connect({ endpoints: [endpoint] });
const lock = await createLocks(client).acquire(name, { ttlMs: Number(ttlMs), purpose: 'child' });
process.send?.({ held: lock.fencingToken.toString() });

process.on('message', (key: string) => {
  // What a holder does that does not look at the clock: it just writes.
  lock.txn({ success: [{ put: { key, value: 'by the child' } }] }).then(
    () => process.send?.({ written: true, lost: lock.signal.aborted }),
    (error: Error) => process.send?.({ refused: error.name, lost: lock.signal.aborted }),
  );
});
