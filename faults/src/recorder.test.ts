import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionError } from '@coord/client';
import { afterAll, describe, expect, it } from 'vitest';
import { readJsonLines } from './json-lines.js';
import { type HistoryLine, operationsOf, Recorder, Refused } from './recorder.js';

type Shapes = { write: { input: { readonly id: string }; output: { readonly revision: number } } };

const folder = mkdtempSync(join(tmpdir(), 'coord-recorder-'));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (file: string) => operationsOf('p', readJsonLines<HistoryLine>(file));

describe('a recorder', () => {
  it('writes down what came of each operation, and tells of it', async () => {
    const file = join(folder, 'outcomes');
    const told: string[] = [];
    const recorder = new Recorder<Shapes>(file, (name, outcome) => told.push(`${name} ${outcome}`));
    const lost = (outcome: 'unknown' | 'not-applied') =>
      new ConnectionError('away', { outcome, endpoints: [] });
    const works = [
      async () => ({ revision: 7 }),
      () => Promise.reject(new Refused('no')),
      () => Promise.reject(lost('not-applied')),
      () => Promise.reject(lost('unknown')),
    ];
    for (const [i, work] of works.entries()) await recorder.perform('write', { id: String(i) }, work);
    const operations = read(file);
    expect(operations.map(({ outcome }) => outcome)).toEqual(['ok', 'failed', 'failed', 'unknown']);
    expect(operations[0]).toMatchObject({ name: 'write', input: { id: '0' }, output: { revision: 7 } });
    expect(operations.map(({ returnedAt }) => Number.isFinite(returnedAt))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(told).toEqual(['write ok', 'write failed', 'write failed', 'write unknown']);
  });

  it('throws what is no outcome, which stays unknown', async () => {
    const file = join(folder, 'bug');
    const recorder = new Recorder<Shapes>(file, () => undefined);
    const bug = new TypeError('a bug');
    await expect(recorder.perform('write', { id: 'a' }, () => Promise.reject(bug))).rejects.toBe(bug);
    expect(read(file)).toMatchObject([{ outcome: 'unknown', returnedAt: Number.POSITIVE_INFINITY }]);
  });

  it('has an operation in the file before it begins; a line that was cut short does not count', async () => {
    const file = join(folder, 'killed');
    const recorder = new Recorder<Shapes>(file, () => undefined);
    await recorder.perform('write', { id: 'a' }, async () => {
      expect(read(file)).toMatchObject([{ input: { id: 'a' }, outcome: 'unknown' }]);
      return { revision: 1 };
    });
    appendFileSync(file, '{"invoke":2,"na');
    expect(read(file)).toMatchObject([{ input: { id: 'a' }, outcome: 'ok' }]);
  });
});
