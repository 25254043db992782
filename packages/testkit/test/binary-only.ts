import { describe } from 'vitest';

const containers = process.env.COORD_TEST_BACKEND === 'testcontainers';
if (containers) console.warn('SKIPPED: what looks at etcd as a process (COORD_TEST_BACKEND=testcontainers)');

/** `describe` for what runs with the binary backend alone; `possible` is a further condition. */
export const describeBinary = (title: string, tests: () => void, possible = true) =>
  describe.skipIf(containers || !possible)(title, tests);
