import { describe, expect, it } from 'vitest';
import { decodeHistoryEntry, decodeMeta, encodeHistoryEntry, encodeMeta, type Meta } from './meta.js';

const META: Meta = {
  version: 3,
  operation: 'rollback',
  contentType: 'json',
  createTime: new Date('2026-01-01T00:00:00Z'),
  updateTime: new Date('2026-01-02T00:00:00Z'),
  author: 'ana',
  comment: 'line one\nline two',
  metadata: { ticket: 'OPS-1' },
  from: 1,
  release: 'r-1',
  nonce: 'abc',
  omitted: false,
};

describe('the version record', () => {
  it('comes back as it went in', () => {
    expect(decodeMeta(encodeMeta(META))).toEqual(META);
  });

  it('is one line, so that a value can follow it', () => {
    const entry = decodeHistoryEntry(encodeHistoryEntry(META, Buffer.from('a\nb')));
    expect(entry?.meta).toEqual(META);
    expect(Buffer.from(entry?.bytes ?? []).toString()).toBe('a\nb');
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"v":0,"tx":"a"}',
    '{"v":1.5,"tx":"a"}',
    '{"v":"1","tx":"a"}',
    '{"v":1}',
    '{"v":1,"tx":"a","__proto__":{}}',
    'x',
  ])('is recognised as damaged: %j', (text) => {
    expect(decodeMeta(text)).toBeUndefined();
  });

  it('tolerates what a later release may add', () => {
    const meta = decodeMeta('{"v":1,"tx":"a","op":"publish","ct":"json","at":"never","rel":"x"}');
    expect(meta).toMatchObject({ version: 1, operation: 'put', updateTime: new Date(0), metadata: {} });
  });

  it('needs the line to end', () => {
    expect(decodeHistoryEntry(Buffer.from(encodeMeta(META)))).toBeUndefined();
  });
});
