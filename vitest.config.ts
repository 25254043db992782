import { defineConfig } from 'vitest/config';

// Packages are resolved to their sources: tests need no build, and a module loads once however it is imported.
// For the rest as Node does it, which does not know `module`: what that names is for bundlers, and need not run.
const conditions = ['@coord/source', 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@coord/source', 'node'] } },
  test: {
    setupFiles: ['scripts/lib/record-node.mjs'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'scripts/**/*.test.mjs',
            'packaging/test/*.test.ts',
            'docs/test/*.test.ts',
            'faults/src/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/*.etcd.test.ts'],
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'etcd',
          include: [
            'packages/*/test/**/*.etcd.test.ts',
            'examples/**/*.etcd.test.ts',
            'docs/test/**/*.etcd.test.ts',
            'faults/test/*.etcd.test.ts',
            'scripts/**/*.etcd.test.ts',
          ],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file starts an etcd of its own, and most of them wait for it rather than compute.
          maxWorkers: 4,
          // Tests of a file that run side by side, and start processes of their own.
          maxConcurrency: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
