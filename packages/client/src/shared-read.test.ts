import { describe, expect, it, vi } from 'vitest';
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
  it('reads at once for the first, then once for all who wait', async () => {
    const { shared, reads } = controlled();
    const first = shared.get();
    const late = Array.from({ length: 100 }, () => shared.get());
    expect(reads).toHaveLength(1);
    reads[0]?.resolve('a');
    expect(await first).toBe('a');
    expect(reads).toHaveLength(2);
    reads[1]?.resolve('b');
    expect(await Promise.all(late)).toEqual(late.map(() => 'b'));
    expect(shared.idle).toBe(true);
  });

  it('does not wait for a read that takes long, up to four', async () => {
    vi.useFakeTimers();
    try {
      const { shared, reads } = controlled();
      const answers: Promise<string>[] = [];
      for (let i = 0; i < 6; i++) {
        answers.push(shared.get());
        vi.advanceTimersByTime(99);
        expect(reads).toHaveLength(Math.min(i === 0 ? 1 : i, 4));
        vi.advanceTimersByTime(1);
      }
      expect(reads).toHaveLength(4);
      reads[2]?.resolve('c');
      expect(await answers[2]).toBe('c');
      expect(reads).toHaveLength(5);
      reads[4]?.resolve('e');
      expect(await Promise.all(answers.slice(4))).toEqual(['e', 'e']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
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
    const first = shared.get();
    const late = shared.get();
    reads[0]?.reject(new Error('away'));
    await expect(first).rejects.toThrow('away');
    reads[1]?.resolve('back');
    expect(await late).toBe('back');
  });
});
