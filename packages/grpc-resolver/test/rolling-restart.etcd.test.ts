import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { reachesAll, useStage } from './service-stage.js';
import { type WhoClient, who } from './who-service.js';

const stage = useStage();
const CALLERS = 4;

async function startProcess(service: string, name: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('who-process.ts', import.meta.url));
  const child = fork(script, [stage.etcd.endpoint, service, name], {
    execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
  });
  stage.cleanLater(() => child.kill('SIGKILL'));
  await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
  return child;
}

/** Calls without a pause and without a retry, until it is stopped. */
function keepCalling(whos: WhoClient) {
  const failures: string[] = [];
  let calls = 0;
  let stopped = false;
  const call = async () => {
    while (!stopped) {
      calls += 1;
      await who(whos, 20_000).catch((error) => failures.push(`${status[error.code]}: ${error.details}`));
      await new Promise(setImmediate);
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, call));
  return async () => {
    stopped = true;
    await callers;
    return { calls, failures };
  };
}

describe('a rolling restart', () => {
  it('costs no failed call: SIGTERM drains each server before it goes', async () => {
    const service = stage.unique();
    let servers = await Promise.all(['a1', 'b1'].map((name) => startProcess(service, name)));
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a1', 'b1');
    const stop = keepCalling(whos);
    for (const name of ['a2', 'b2']) {
      const [old, ...others] = servers;
      servers = [...others, await startProcess(service, name)];
      if (old === undefined) throw new Error('there is no server');
      const ended = once(old, 'exit');
      old.kill('SIGTERM');
      expect(await ended).toEqual([143, null]);
    }
    await reachesAll(whos, 'a2', 'b2');
    const { calls, failures } = await stop();
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(100);
  });
});
