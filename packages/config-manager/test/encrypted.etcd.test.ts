import { randomBytes } from 'node:crypto';
import { ValidationError } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { eventually } from '@coord/testkit';
import { expect, it } from 'vitest';
import { overrideConfig, startCanary } from '../src/index.js';
import { useEtcd } from './setup.js';

const t = useEtcd();

it('a manager follows an encrypted key, keeps what it has without the key, and nothing in plain text comes beside it', async () => {
  const { key, ...names } = t.place();
  const encryption = { keys: { k: randomBytes(32) }, current: 'k' };
  await using config = createConfigCenter(t.client, { encryption });
  await config.set(key, { password: 'canary-secret' }, { encrypt: true });
  const defaults = { password: '' };
  const [able, unable] = [t.manager({ ...names, defaults, config }), t.manager({ ...names, defaults })];
  await Promise.all([able.start(), unable.start()]);
  expect(able.current).toEqual({ password: 'canary-secret' });
  expect(unable.current).toEqual(defaults);
  expect(unable.status.rejected?.issues).toMatchObject([{ path: 'value' }]);
  await config.set(key, { password: 'changed' });
  await eventually(() => able.current.password === 'changed');

  for (const center of [config, t.config]) {
    const canary = startCanary(center, key, { password: 'x' }, { percent: 5 });
    await expect(canary).rejects.toThrow(ValidationError);
    const override = overrideConfig(center, key, { password: 'x' }, { ttlMs: 60_000 });
    await expect(override).rejects.toThrow(/is encrypted/);
  }
  const { kvs } = await t.client.kv.range({ prefix: '' });
  expect(kvs.filter((kv) => /gray|over/.test(kv.key))).toEqual([]);
  expect(kvs.some((kv) => kv.text().includes('canary-secret'))).toBe(false);
});
