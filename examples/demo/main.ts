// The whole of Coord in less than half a minute, on a real etcd and with real processes: npm run demo
import { constants } from 'node:os';
import { parseArguments, USAGE } from './arguments.js';
import { play } from './play.js';
import { Story } from './story.js';

const LIMIT_MS = 45_000;
const story = new Story();
const stopping = new AbortController();
let stoppedWith = 1;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stoppedWith = 128 + constants.signals[signal];
    stopping.abort(new Error(`Interrupted: everything the demo had started has been ended.`));
  });
}
const limit = setTimeout(
  () => stopping.abort(new Error(`The demo is not through after ${LIMIT_MS} ms, and has been ended.`)),
  LIMIT_MS,
);

try {
  const { help, endpoints } = parseArguments(process.argv.slice(2));
  if (help) console.log(USAGE);
  else if (!(await play({ story, endpoints, signal: stopping.signal }))) process.exitCode = 1;
} catch (error) {
  process.exitCode = stopping.signal.aborted ? stoppedWith : 1;
  story.failure(stopping.signal.aborted ? stopping.signal.reason : error);
} finally {
  clearTimeout(limit);
}

// Nothing is left that could keep this process alive; should there be, it is a failure too.
setTimeout(() => {
  story.failure(new Error(`Something still runs: ${process.getActiveResourcesInfo().join(', ')}`));
  process.exit(process.exitCode || 1);
}, 3_000).unref();
