import { describe, expect, it } from 'vitest';
import { explain } from './explain.js';
import type { SuppliedPart } from './layer.js';

const DEFAULTS = { port: 1, pool: { min: 1, max: 2 }, tags: ['a', 'b'] };
const part = (layer: SuppliedPart['layer'], value: unknown): SuppliedPart => ({
  layer,
  key: `key of ${layer}`,
  version: 7,
  revision: 9n,
  value,
});
const PARTS = [
  part('shared', { port: 2, pool: { max: 3 } }),
  part('service', { pool: { max: 4, idle: 5 }, tags: ['c'] }),
];
const CURRENT = { port: '2', pool: { min: 1, max: 4, idle: 5 }, tags: ['c'], made: true };
const ask = (path: string | (string | number)[]) => explain(CURRENT, DEFAULTS, PARTS, path);

describe('explain', () => {
  it('names the highest layer that says something, and what the others say', () => {
    expect(ask('pool.max')).toEqual({
      value: 4,
      layer: 'service',
      layers: [
        { layer: 'service', key: 'key of service', version: 7, revision: 9n, value: 4 },
        { layer: 'shared', key: 'key of shared', version: 7, revision: 9n, value: 3 },
        { layer: 'default', key: undefined, version: 0, revision: 0n, value: 2 },
      ],
    });
    expect(ask('pool.min')).toMatchObject({ value: 1, layer: 'default' });
    expect(ask(['pool', 'idle'])).toMatchObject({ value: 5, layer: 'service' });
    expect(ask('pool').layers.map(({ layer }) => layer)).toEqual(['service', 'shared', 'default']);
    expect(ask('')).toMatchObject({ value: CURRENT, layer: 'service' });
  });

  it('tells what the schema made of it', () => {
    expect(ask('port')).toMatchObject({ value: '2', layer: 'schema' });
    expect(ask('made')).toEqual({ value: true, layer: 'schema', layers: [] });
  });

  it('knows that arrays replace', () => {
    expect(ask('tags.0')).toMatchObject({ value: 'c', layer: 'service' });
    expect(ask('tags.1')).toEqual({ value: undefined, layer: undefined, layers: [] });
  });

  it('finds nothing where there is nothing, nor on a prototype', () => {
    for (const path of ['nowhere', 'pool.max.deeper', 'constructor', '__proto__', 'tags.length.x']) {
      expect(ask(path)).toMatchObject({ value: undefined, layer: undefined });
    }
  });

  it('hands out copies', () => {
    const [top] = ask('pool').layers;
    expect(top?.value).toEqual({ max: 4, idle: 5 });
    expect(top?.value).not.toBe(PARTS[1]?.value);
  });

  it('refuses what is no path', () => {
    for (const path of [undefined, 5, null, [{}]]) {
      expect(() => ask(path as never)).toThrow(/path/);
    }
  });
});
