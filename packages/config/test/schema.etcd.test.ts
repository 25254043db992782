import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { useEtcd } from './setup.js';

const t = useEtcd();

describe('schema', () => {
  const schema = z.object({ port: z.coerce.number().int(), host: z.string().default('localhost') });

  it('gives the value its type, its coercions and its defaults', async () => {
    const key = t.key();
    await t.config.set(key, { port: '80' });
    const { value } = await t.config.get(key, { schema });
    const typed: { port: number; host: string } = value;
    expect(typed).toEqual({ port: 80, host: 'localhost' });
    expect((await t.config.getValue(key, undefined, { schema })).port).toBe(80);
  });

  it('refuses with paths, before a write and after a read', async () => {
    const key = t.key();
    const bad = { name: 'ValidationError', issues: [{ path: 'value.port' }] };
    await expect(t.config.set(key, { port: 'x' }, { schema })).rejects.toMatchObject(bad);
    expect(await t.config.getVersion(key)).toBe(0);
    await t.config.set(key, { port: 'x' });
    await expect(t.config.get(key, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.getValue(key, { port: 1, host: '' }, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.get(key, { schema: {} as never })).rejects.toMatchObject({
      issues: [{ path: 'schema' }],
    });
  });
});
