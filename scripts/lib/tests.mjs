import { build } from './build.mjs';
import { checkSources } from './checks.mjs';
import { Interrupted } from './child.mjs';
import { etcdEnvironment, prepareEtcd } from './etcd.mjs';
import { reportFailure, say } from './say.mjs';
import { countLine, runVitest, succeeded } from './vitest.mjs';

/** `npm test`: all set-up, all checks, all tests on one etcd and this Node. Arguments go to vitest. */
export async function commandTest(args) {
  return endWithCounts(async () => {
    await build();
    await checkSources();
    const etcd = await prepareEtcd();
    return runVitest(args, { env: etcdEnvironment(etcd) });
  });
}

/** The last line is the counts, whatever happens; a failure before any test ran is one, too. */
export async function endWithCounts(work) {
  let counts = { passed: 0, failed: 1, skipped: 0 };
  try {
    counts = await work();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    reportFailure(error);
  }
  say(`\n${countLine(counts)}`);
  return succeeded(counts) ? 0 : 1;
}
