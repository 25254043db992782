import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const conditions = ['@coord/source', 'module', 'node', 'development|production'];

/** The long checks, which `npm run check:packages` and `npm run test:full` run. */
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@coord/source', 'node'] } },
  test: {
    include: ['packaging/test/*.full.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
