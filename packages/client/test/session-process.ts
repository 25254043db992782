/**
 * A process of its own that holds sessions, for tests that pause it, block its event loop and cut its
 * line: it notes when it last believed in each of them. Times are CLOCK_MONOTONIC, as in every process
 * of the machine.
 */
import { connect, type Session } from '../src/index.js';

export interface Held {
  readonly key: string;
  /** When the session was last asked and said that it was alive. */
  readonly believedAt: string;
  readonly lost: boolean;
  readonly fired: number;
}

export type Command = { readonly stallMs: number } | { readonly write: string } | 'report';

const [endpoint = '', prefix = '', ...ttls] = process.argv.slice(2);

const client = await connect({ endpoints: [endpoint] });
const all = await Promise.all(
  ttls.map(async (ttlMs, index) => {
    const session = await client.session({ ttlMs: Number(ttlMs) });
    const key = `${prefix}${index}`;
    await client.kv.put(key, '', { session });
    const held = { key, session, believedAt: 0n, fired: 0 };
    session.signal.addEventListener('abort', () => held.fired++);
    return held;
  }),
);

function askAll(): void {
  for (const held of all) {
    const now = process.hrtime.bigint();
    if (held.session.state === 'alive') held.believedAt = now;
  }
}

function report(): Held[] {
  return all.map(({ key, session, believedAt, fired }) => {
    return { key, believedAt: believedAt.toString(), lost: session.signal.aborted, fired };
  });
}

/** What a holder does that does not look at the clock: it just writes. */
async function write(key: string, session: Session | undefined): Promise<string> {
  try {
    await client.kv.put(key, 'from a holder', { session });
    return 'written';
  } catch (error) {
    return error instanceof Error ? `${error.name} ${error.cause === undefined ? 'here' : 'by etcd'}` : '';
  }
}

askAll();
setInterval(askAll, 5);
process.on('message', (command: Command) => {
  if (command === 'report') process.send?.(report());
  else if ('stallMs' in command) {
    const until = performance.now() + command.stallMs;
    while (performance.now() < until);
    askAll();
  } else {
    write(command.write, all[0]?.session).then(
      (answer) => process.send?.(answer),
      () => process.exit(1),
    );
  }
});
process.send?.(report());
