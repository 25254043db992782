import { describe, expect, it } from 'vitest';
import { LEAST_TO_JUDGE, leaksOf, measureLeaks } from '../src/leaks/measure-leaks.js';

const PATIENT = { timeout: 180_000 };

describe.concurrent('a process that uses everything over lines that break, and closes it', PATIENT, () => {
  // Enough for all but memory, which the soak judges.
  it.each(['fresh', 'same'] as const)('leaves nothing, with %s coordinators', async (kind) => {
    const leaks = await measureLeaks({ kind, cycles: 2 });
    expect(leaksOf(leaks)).toEqual([]);
    expect(leaks.heaps).toHaveLength(2);
  });

  it('is found if it leaves anything', async () => {
    const leaks = await measureLeaks({ kind: 'none', cycles: LEAST_TO_JUDGE, careless: true });
    expect(leaksOf(leaks).map(({ what }) => what)).toEqual([
      expect.stringMatching(/^the process has TCPSocketWrap, (Timeout, ){10}/),
      expect.stringMatching(/^\d+ listeners more than in the beginning/),
      expect.stringMatching(/^Node warns: Possible EventTarget memory leak/),
      expect.stringMatching(/^\d+ connections to etcd/),
      expect.stringMatching(/^memory grows by \d+ bytes a cycle/),
      'etcd still has 1 leases',
      'etcd still has keys on leases: /leaks/left',
      'etcd still has 1 watchers',
      'etcd still has 2 streams',
    ]);
  });
});
