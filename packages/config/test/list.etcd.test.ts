import { ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { compact, useEtcd } from './setup.js';

const t = useEtcd();

describe('list', () => {
  it('pages through the keys below a prefix at one revision', async () => {
    const prefix = t.key('list');
    for (const name of ['a', 'b', 'c/d', 'e']) await t.config.set(`${prefix}/${name}`, 1);
    await t.config.set(`${prefix}2/x`, 1);
    await t.config.set(prefix, 1);
    const first = await t.config.list(prefix, { limit: 3 });
    expect(first).toMatchObject({
      keys: ['a', 'b', 'c/d'].map((name) => `${prefix}/${name}`),
      consistent: true,
    });
    await t.config.set(`${prefix}/f`, 1);
    const second = await t.config.list(`/${prefix}/`, { limit: 3, cursor: first.cursor });
    expect(second).toEqual({ keys: [`${prefix}/e`], consistent: true });
  });

  it('goes on without the revision when it has been compacted, and says so', async () => {
    const prefix = t.key('list');
    for (const name of ['a', 'b', 'c', 'd']) await t.config.set(`${prefix}/${name}`, 1);
    const first = await t.config.list(prefix, { limit: 1 });
    await compact(t.client);
    const second = await t.config.list(prefix, { limit: 1, cursor: first.cursor });
    expect(second).toMatchObject({ keys: [`${prefix}/b`], consistent: false });
    const third = await t.config.list(prefix, { limit: 10, cursor: second.cursor });
    expect(third).toEqual({ keys: [`${prefix}/c`, `${prefix}/d`], consistent: false });
  });

  it('refuses a cursor that is not one, or not of this prefix', async () => {
    const prefix = t.key('list');
    await t.config.set(`${prefix}/a`, 1);
    await t.config.set(`${prefix}/b`, 1);
    const { cursor } = await t.config.list(prefix, { limit: 1 });
    await expect(t.config.list(prefix, { cursor: 'rubbish' })).rejects.toThrow(ValidationError);
    await expect(t.config.list('other', { cursor })).rejects.toThrow(ValidationError);
    await expect(t.config.list(prefix, { limit: 0 })).rejects.toThrow(ValidationError);
  });
});
