import { randomBytes } from 'node:crypto';
import { TestkitError } from './errors.js';
import type { Gateway } from './gateway.js';

/** The one key that `fillQuota` writes, again and again: every revision of it takes room until a compaction. */
const FILL_KEY = Buffer.from('coord-testkit/fill').toString('base64');
const MAX_VALUE_BYTES = 1024 * 1024; // etcd takes 1.5 MiB
const NOSPACE = /database space exceeded/;

/** Writes until etcd refuses with NOSPACE. @internal */
export async function fillQuota(gateway: Gateway, quotaBytes: number | undefined): Promise<void> {
  if (quotaBytes === undefined) {
    throw new TestkitError(
      'COORD_TESTKIT_INVALID_STATE',
      'fillQuota() would write the 2 GiB of the default quota',
      'start etcd with quotaBytes, as 4 MiB',
    );
  }
  const value = randomBytes(Math.ceil(Math.min(MAX_VALUE_BYTES, quotaBytes / 8))).toString('base64');
  const enough = 16 + (2 * quotaBytes) / value.length;
  for (let writes = 0; writes < enough; writes++) {
    try {
      await gateway.post('kv/put', { key: FILL_KEY, value });
    } catch (error) {
      if (NOSPACE.test(String(error))) return;
      throw error;
    }
  }
  throw new TestkitError(
    'COORD_TESTKIT_COMMAND_FAILED',
    `etcd took twice its quota of ${quotaBytes} bytes`,
    'see that no flag in args sets another quota',
  );
}

/** Removes what `fillQuota` wrote. etcd deletes also when it takes no writes. @internal */
export async function removeFilling(gateway: Gateway): Promise<void> {
  await gateway.post('kv/deleterange', { key: FILL_KEY });
}
