import { describe, expect, it } from 'vitest';
import { SharedReads } from './shared-reads.js';

function setup() {
  const asked: { name: string; answer: (value: string) => void; fail: (error: unknown) => void }[] = [];
  const reads = new SharedReads<string>();
  const read = (name: string, signal = new AbortController().signal) =>
    reads.read(name, () => new Promise((answer, fail) => asked.push({ name, answer, fail })), signal);
  return { asked, read };
}

describe('SharedReads', () => {
  it('ask once for all who want the same at once, and anew for who comes later', async () => {
    const { asked, read } = setup();
    const reads = [read('a'), read('a'), read('b')];
    expect(asked.map(({ name }) => name)).toEqual(['a', 'b']);
    for (const { name, answer } of asked) answer(`${name}!`);
    expect(await Promise.all(reads)).toEqual(['a!', 'a!', 'b!']);
    const later = read('a');
    asked[2]?.answer('again');
    expect(await later).toBe('again');
  });

  it('fail for all who share, and not for who asks afterwards', async () => {
    const { asked, read } = setup();
    const reads = [read('a'), read('a')];
    asked[0]?.fail(new Error('away'));
    for (const each of reads) await expect(each).rejects.toThrow('away');
    const next = read('a');
    asked[1]?.answer('back');
    expect(await next).toBe('back');
  });

  it('go on for the others when one gives up', async () => {
    const { asked, read } = setup();
    const controller = new AbortController();
    const [given, kept] = [read('a', controller.signal), read('a')];
    controller.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    asked[0]?.answer('here');
    expect(await kept).toBe('here');
  });
});
