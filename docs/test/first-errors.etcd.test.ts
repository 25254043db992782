import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type CoordConfigInput, createCoordinator } from '@coord/core';
import { startEtcd } from '@coord/testkit';
import { expect, it } from 'vitest';
import { ROOT } from './markdown-blocks.js';

/** What a newcomer may meet, as the page on getting started quotes it. */
const quoted = readFileSync(join(ROOT, 'docs', 'getting-started.md'), 'utf8')
  .split('\n')
  .map((line) => /^\| `(\w+Error\b[^`]*)`/.exec(line)?.[1] ?? '')
  .filter((text) => /^(?!Syntax)\w+Error/.test(text));

it('the messages on getting started are those that come', async () => {
  await using etcd = await startEtcd({ auth: true });
  await etcd.etcdctl(['user', 'add', 'guest:guest']);
  const { endpoints } = etcd;
  await using one = await createCoordinator(etcd.connectOptions);
  await using two = await createCoordinator(etcd.connectOptions);
  await using guest = await createCoordinator({ endpoints, username: 'guest', password: 'guest' });
  await using _held = await one.lock.acquire('nightly-report');

  const misspelt: object = { endpoint: ['127.0.0.1:2379'] };
  const messages = await Promise.all([
    messageOf(createCoordinator({ endpoints: [await unusedEndpoint()] })),
    messageOf(createCoordinator({ endpoints })),
    messageOf(createCoordinator({ endpoints, username: 'root', password: 'wrong' })),
    messageOf(guest.lock.tryAcquire('nightly-report')),
    messageOf(createCoordinator(misspelt satisfies CoordConfigInput)),
    messageOf(two.lock.acquire('nightly-report', { timeoutMs: 3_000 })),
  ]);

  expect(quoted).toHaveLength(messages.length);
  for (const text of quoted) {
    const pattern = new RegExp(`^${text.split('…').map(literally).join('.*')}`, 's');
    expect(messages, text).toContainEqual(expect.stringMatching(pattern));
  }
});

/** With the values that the page has. */
async function messageOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return String(error)
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:2379')
    .replace('within 3000 ms', 'within 10000 ms');
}

async function unusedEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${typeof address === 'object' ? address?.port : 1}`;
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
