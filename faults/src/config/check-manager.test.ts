import { describe, expect, it } from 'vitest';
import { checkApplied, checkSnapshots } from './check-manager.js';
import { rawKey } from './config-names.js';
import type { Saved } from './config-operations.js';
import { KEYS, managing, observed, put, RUN, shows } from './hand-written.js';

describe('the check of snapshots', () => {
  const started = (saved: Saved, source: string) =>
    observed('start', { ...managing('bounds'), saved }, { source });

  it('wants whoever has a snapshot to start with it, or with what etcd has', () => {
    expect(
      checkSnapshots([
        started('nothing', 'default'),
        started('whole', 'snapshot'),
        started('whole', 'remote'),
      ]),
    ).toEqual([]);
    expect(checkSnapshots([started('whole', 'default')])).toHaveLength(1);
  });

  it('finds one that is broken', () => {
    expect(checkSnapshots([started('broken', 'remote')])).toHaveLength(1);
    const trouble = (during: string) =>
      observed('trouble', managing('bounds'), { during, error: 'cut short' });
    expect(checkSnapshots([trouble('announce')])).toEqual([]);
    expect(checkSnapshots([trouble('snapshot')])).toHaveLength(1);
  });
});

describe('the check of what is announced and waited for', () => {
  const LOG = [put(2, rawKey(KEYS.bounds), { id: 'p0-1' }), put(3, rawKey(KEYS.bounds), 'rubbish p0-2')];
  const applied = (revision: number, state = 'applied', instance = 'i2') =>
    observed('applied', {}, { instances: [{ instance, state, revision }] });
  const shown = shows('bounds', { id: 'p0-1' });

  it('finds nothing where the instance had shown it before, or says that it does not have it', () => {
    expect(
      checkApplied([shown, applied(2), applied(2, 'rejected'), applied(2, 'behind'), applied(0)], LOG, RUN),
    ).toEqual([]);
  });

  it.each([
    ['what it had not shown', [applied(2)]],
    ['what another has shown', [shown, applied(2, 'applied', 'i3')]],
    ['what it shows later', [applied(2), { ...shown, invokedAt: 1 }]],
    ['what nobody can use', [shown, applied(3)]],
    ['what it had not shown, and has refused', [applied(2, 'rejected')]],
  ])('finds %s', (_what, history) => {
    expect(checkApplied(history, LOG, RUN)).toHaveLength(1);
  });

  it('finds a version that was waited for, and is not there', () => {
    const waited = (version: number) => observed('await', { ...managing('bounds'), version: 5 }, { version });
    expect(checkApplied([waited(5), waited(6)], LOG, RUN)).toEqual([]);
    expect(checkApplied([waited(4)], LOG, RUN)).toHaveLength(1);
  });
});
