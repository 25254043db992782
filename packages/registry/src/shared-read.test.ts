import { describe, expect, it } from 'vitest';
import { SharedRead } from './shared-read.js';

/** Reads that end when they are told to. */
function controlled() {
  const reads: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const shared = new SharedRead(
    () => new Promise<string>((resolve, reject) => reads.push({ resolve, reject })),
  );
  return { shared, reads };
}

describe('SharedRead', () => {
  it('reads at once for the first few, then once for all who wait', async () => {
    const { shared, reads } = controlled();
    const first = Array.from({ length: 4 }, () => shared.get());
    const late = Array.from({ length: 100 }, () => shared.get());
    expect(reads).toHaveLength(4);
    reads[0]?.resolve('a');
    expect(await first[0]).toBe('a');
    expect(reads).toHaveLength(5);
    for (const read of reads) read.resolve('b');
    expect(await Promise.all(late)).toEqual(late.map(() => 'b'));
    expect(shared.idle).toBe(true);
  });

  it('gives nobody the answer to a read that began before he asked', async () => {
    let state = 0;
    const ends: (() => void)[] = [];
    const shared = new SharedRead(() => {
      const seen = state;
      return new Promise<number>((resolve) => ends.push(() => resolve(seen)));
    });
    const askedAt: number[] = [];
    const answers: Promise<number>[] = [];
    for (let step = 0; step < 200; step++) {
      state++;
      askedAt.push(state);
      answers.push(shared.get());
      if (step % 3 === 0) {
        ends.shift()?.();
        await Promise.resolve();
        await Promise.resolve();
      }
    }
    while (!shared.idle) {
      ends.shift()?.();
      await Promise.resolve();
    }
    const seen = await Promise.all(answers);
    for (const [index, value] of seen.entries()) expect(value).toBeGreaterThanOrEqual(askedAt[index] ?? 0);
  });

  it('goes on after a failure, which is that of those who waited for it', async () => {
    const { shared, reads } = controlled();
    const first = Array.from({ length: 4 }, () => shared.get());
    const late = shared.get();
    for (const read of reads) read.reject(new Error('away'));
    for (const answer of first) await expect(answer).rejects.toThrow('away');
    reads[4]?.resolve('back');
    expect(await late).toBe('back');
  });
});
