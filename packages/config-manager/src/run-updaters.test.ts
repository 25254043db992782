import { describe, expect, it } from 'vitest';
import type { TwoPhaseUpdater } from './options.js';
import { commitAll, prepareAll } from './run-updaters.js';
import { StepRunner } from './step-runner.js';

const TRANSITION = { next: 2, previous: 1 };
const run = new StepRunner('k', 50).until(new AbortController().signal);

function updater(
  name: string,
  log: string[],
  failing?: 'prepare' | 'commit' | 'rollback',
): TwoPhaseUpdater<number> {
  const step = (phase: 'prepare' | 'commit' | 'rollback') => async (next: number, previous: number) => {
    log.push(`${phase} ${name} ${previous}→${next}`);
    if (phase === failing) throw new Error(`${phase} ${name}`);
  };
  return { prepare: step('prepare'), commit: step('commit'), rollback: step('rollback') };
}

describe('updaters', () => {
  it('prepare in order; when one fails, those before it are rolled back, last first', async () => {
    const log: string[] = [];
    const all = [
      updater('a', log),
      updater('b', log, 'rollback'),
      updater('c', log, 'prepare'),
      updater('d', log),
    ];
    const reported: unknown[] = [];
    await expect(prepareAll(all, TRANSITION, run, (during) => reported.push(during))).rejects.toMatchObject({
      phase: 'update',
      cause: new Error('prepare c'),
    });
    expect(log).toEqual([
      'prepare a 1→2',
      'prepare b 1→2',
      'prepare c 1→2',
      'rollback b 1→2',
      'rollback a 1→2',
    ]);
    expect(reported).toEqual(['rollback']);
  });

  it('commit all, whatever fails', async () => {
    const log: string[] = [];
    const reported: string[] = [];
    const all = [updater('a', log, 'commit'), updater('b', log)];
    await commitAll(all, TRANSITION, run, (during) => reported.push(during));
    expect(log).toEqual(['commit a 1→2', 'commit b 1→2']);
    expect(reported).toEqual(['commit']);
  });

  it('do not hang the manager: a step has a deadline, and is told', async () => {
    let told: AbortSignal | undefined;
    const hanging: TwoPhaseUpdater<number> = {
      prepare: (_next, _previous, { signal }) => {
        told = signal;
        return new Promise(() => undefined);
      },
    };
    await expect(prepareAll([hanging], TRANSITION, run, () => undefined)).rejects.toMatchObject({
      cause: { name: 'TimeoutError' },
    });
    expect(told?.aborted).toBe(true);
  });
});
