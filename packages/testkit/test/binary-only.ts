import { describe } from 'vitest';

const containers = process.env.COORD_TEST_BACKEND === 'testcontainers';
if (containers) console.warn('SKIPPED: clusters need an etcd binary (COORD_TEST_BACKEND=testcontainers)');

/** `describe` for what needs a cluster; `possible` is a further condition. */
export const describeCluster = (title: string, tests: () => void, possible = true) =>
  describe.skipIf(containers || !possible)(title, tests);
