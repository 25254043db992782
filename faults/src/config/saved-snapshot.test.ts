import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@coord/client';
import { internalsOfCenter } from '@coord/config/internal';
import { afterAll, describe, expect, it } from 'vitest';
import { closeCenters, openCenters } from './centers.js';
import { savedIn } from './saved-snapshot.js';

const KEY = 'r/app/bounds';
const folder = mkdtempSync(join(tmpdir(), 'coord-saved-'));
const client = createClient({ endpoints: ['127.0.0.1:1'] }); // nobody asks it for anything
const centers = openCenters(client);
afterAll(async () => {
  await closeCenters(centers);
  await client.close();
  rmSync(folder, { recursive: true });
});

const HEADER = { format: 1, key: KEY, savedAt: '', version: 3, revision: '7' };
const SEALED = { type: 'json', bytes: Buffer.from('{"id":"a"}') } as const;

function saved(text: string) {
  const file = join(folder, 'snapshot');
  writeFileSync(file, text);
  return savedIn(centers.first, file, KEY);
}

function whole(key = KEY): string {
  const content = internalsOfCenter(centers.first)?.keyring.seal(key, SEALED);
  return `${JSON.stringify({ ...HEADER, contentType: 'sealed' })}\n${Buffer.from(content?.bytes ?? []).toString()}`;
}

describe('what a snapshot file holds', () => {
  it('is a value, nothing for a key that was absent, and nothing where there is no file', () => {
    expect(saved(whole())).toBe('whole');
    expect(saved(`${JSON.stringify(HEADER)}\n`)).toBe('nothing');
    expect(savedIn(centers.first, join(folder, 'none'), KEY)).toBe('nothing');
  });

  it('is broken wherever it is cut short', () => {
    const text = whole();
    for (let length = 0; length < text.length; length++) expect(saved(text.slice(0, length))).toBe('broken');
    const tombstone = `${JSON.stringify(HEADER)}\n`;
    for (let length = 0; length < tombstone.length; length++)
      expect(saved(tombstone.slice(0, length))).toBe('broken');
  });

  it('is broken where it is mixed with another', () => {
    expect(saved(`${JSON.stringify(HEADER)}\n${whole().split('\n')[1]}`)).toBe('broken');
    expect(saved(whole('r/app/other'))).toBe('broken');
    expect(saved(`${whole()}${whole().slice(-5)}`)).toBe('broken');
  });
});
