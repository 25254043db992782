import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Listed } from './list-process.js';
import { oneEtcd } from './one-etcd.js';
import { countRpcs } from './rpc-count.js';

const { etcd, client } = await oneEtcd();

async function fill(prefix: string, keys: number, valueBytes: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, 'v');
  const aTxn = Math.max(1, Math.min(100, Math.floor(1_000_000 / valueBytes)));
  let next = 0;
  const writer = async () => {
    while (next < keys) {
      const from = next;
      next += aTxn;
      const success = Array.from({ length: Math.min(aTxn, keys - from) }, (_, i) => ({
        put: { key: `${prefix}${String(from + i).padStart(7, '0')}`, value },
      }));
      await client.kv.txn({ success }, { timeoutMs: 60_000 });
    }
  };
  await Promise.all([0, 1, 2, 3].map(writer));
}

describe('a list', () => {
  it('of 100,000 keys with 200 MB needs the memory of some pages', { timeout: 180_000 }, async () => {
    await fill('/huge/', 100_000, 2_000);
    const script = fileURLToPath(new URL('list-process.ts', import.meta.url));
    const child = fork(script, [etcd.endpoint, '/huge/'], {
      execArgv: ['--conditions=@coord/source', '--import', 'tsx', '--expose-gc', '--max-old-space-size=96'],
    });
    try {
      const [listed] = (await once(child, 'message', { signal: AbortSignal.timeout(120_000) })) as [Listed];
      expect(listed).toMatchObject({ keys: 100_000, bytes: 200_000_000, inOrder: true });
      expect(listed.peakBytes).toBeLessThan(100_000_000);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('has small pages where values are large, and large ones where they are small', async () => {
    await fill('/large-values/', 40, 500_000);
    const large = await countRpcs(etcd.endpoint, async () => {
      let count = 0;
      for await (const { value } of client.kv.list({ prefix: '/large-values/' }))
        count += value.length / 500_000;
      expect(count).toBe(40);
    });
    expect(large.Range).toBe(7); // 16, then 4 at a time: some 2 MB
    await fill('/small-values/', 2_000, 20);
    const small = await countRpcs(etcd.endpoint, async () => {
      let count = 0;
      for await (const _ of client.kv.list({ prefix: '/small-values/' })) count++;
      expect(count).toBe(2_000);
    });
    expect(small.Range).toBe(4); // 16, 256, 1000 and the rest
  });
});
