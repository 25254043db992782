import type { ConfigCenter } from '@coord/config';
import { expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import * as manager from './index.js';
import { createConfigManager } from './index.js';

it('exports what it promises, and nothing else', () => {
  expect(Object.keys(manager).sort()).toEqual([
    'appliedConfig',
    'createConfigManager',
    'getCanary',
    'listOverrides',
    'overrideConfig',
    'startCanary',
  ]);
});

it('infers the type from the schema, or from the defaults', () => {
  // Never called: only the types count.
  const typed = (config: ConfigCenter) => {
    const place = { config, env: 'e', service: 's', component: 'c' };
    const schema = z.object({ level: z.enum(['info', 'debug']), port: z.coerce.number() });
    const bySchema = createConfigManager({ ...place, schema, defaults: { level: 'info', port: 1 } });
    expectTypeOf(bySchema.current).toEqualTypeOf<Readonly<{ level: 'info' | 'debug'; port: number }>>();
    const byDefaults = createConfigManager({
      ...place,
      defaults: { port: 1 },
      validate: (next) => `${next.port}`,
    });
    expectTypeOf(byDefaults.current.port).toBeNumber();
    byDefaults.subscribe(
      (next) => next.port,
      (port) => void expectTypeOf(port).toBeNumber(),
    );
    const explicit = createConfigManager<{ port: number }>({ ...place, schema, defaults: { port: 1 } });
    expectTypeOf(explicit.current.port).toBeNumber();
  };
  expect(typed).toBeTypeOf('function');
});
