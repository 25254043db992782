import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkKeys } from './check-keys.js';
import { checkBelief, checkLosses, longestToTellMs, renewedByEtcd } from './check-sessions.js';
import { sessionKey } from './session-names.js';
import type { SessionOperation, SessionShapes } from './session-operations.js';

const RUN = 'r';
const OF = { session: 's' };

function did<Name extends keyof SessionShapes & string>(
  name: Name,
  seconds: number,
  input: SessionShapes[Name]['input'],
  output: SessionShapes[Name]['output'],
) {
  const at = seconds * 1e6;
  return { process: 'p0', name, input, output, outcome: 'ok' as const, invokedAt: at, returnedAt: at };
}

const asked = (seconds: number, leftMs = 1_500) => did('ask', seconds, OF, { alive: leftMs > 0, leftMs });
const lost = (seconds: number) => did('lost', seconds, OF, {});
const closed = (seconds: number) => did('close', seconds, { ...OF, kind: 'close' }, {});
const revoked = (seconds: number) => did('revoke', seconds, OF, {});
const stalled = (seconds: number, ms: number) => did('stall', seconds, {}, { ms });

const happened = (type: EtcdEvent['type'], seconds: number): EtcdEvent => ({
  ...{ revision: seconds, type, key: sessionKey(RUN, OF.session), value: '', createRevision: 0 },
  seenAt: seconds * 1e6,
});
const WRITTEN = happened('put', 1);
const goneAt = (seconds: number) => [WRITTEN, happened('delete', seconds)];
const fault = (kind: string, from: number, to: number, where: FaultEntry['where']): FaultEntry => ({
  ...{ kind, where, beganAt: from * 1e6, endedAt: to * 1e6 },
});

const evidence = (history: SessionOperation[], log: EtcdEvent[], faults: FaultEntry[] = []) => ({
  ...{ run: RUN, history, log, faults },
});

describe('the check of belief', () => {
  it.each<[string, SessionOperation[], EtcdEvent[]]>([
    ['who believes while the key is there', [asked(2), asked(4.9), closed(5)], goneAt(6)],
    ['who no longer believes when it is gone', [asked(2), lost(5.9), asked(7, 0), closed(8)], goneAt(6)],
    [
      'who cannot know that somebody else has ended it',
      [asked(2), revoked(3), asked(3.5), lost(3.7)],
      goneAt(3),
    ],
  ])('finds nothing in %s', (_what, history, log) => {
    expect(checkBelief(evidence(history, log))).toEqual([]);
  });

  it.each<[string, SessionOperation[], EtcdEvent[]]>([
    ['who believes though the key is gone', [asked(2), asked(6.1)], goneAt(6)],
    ['who is alive after a loss', [asked(2), lost(3), asked(4)], goneAt(6)],
    ['who believes for longer than the TTL', [asked(2, 2_001)], goneAt(6)],
    ['who believed before somebody else came', [asked(2), asked(6.1), revoked(7)], goneAt(6)],
  ])('finds %s', (_what, history, log) => {
    expect(checkBelief(evidence(history, log))).toHaveLength(1);
  });
});

describe('the check of belief while a leader stands still', () => {
  const history = [asked(2), asked(7.9)];
  const stuck = (kind: string, from: number, to: number) =>
    evidence(history, goneAt(6), [fault(kind, from, to, { member: 'm1' })]);

  it.each([
    ['disk stalled', 3, 8],
    ['leader frozen', 3, 4.1],
  ])('counts what etcd itself renews wrongly, and does not blame the session: %s', (kind, from, to) => {
    expect(checkBelief(stuck(kind, from, to))).toEqual([]);
    expect(renewedByEtcd(stuck(kind, from, to))).toBe(1);
  });

  it.each([
    ['disk stalled', 0, 3.9],
    ['disk stalled', 6.1, 8],
    ['leader killed', 3, 8],
  ])(
    'blames the session for what was before, and for what came after: %s from %s to %s',
    (kind, from, to) => {
      expect(checkBelief(stuck(kind, from, to))).toHaveLength(1);
      expect(renewedByEtcd(stuck(kind, from, to))).toBe(0);
    },
  );

  it('blames the session for what it believes a TTL later', () => {
    const late = evidence([asked(2), asked(8.1)], goneAt(6), [
      fault('leader frozen', 3, 5, { member: 'm1' }),
    ]);
    expect(checkBelief(late)).toHaveLength(1);
  });
});

describe('the check of losses', () => {
  it.each<[string, SessionOperation[], EtcdEvent[], FaultEntry[]]>([
    ['one that is told before its key is gone', [asked(2), lost(5)], goneAt(6), []],
    ['one that hears of it within TTL + 1 s', [asked(2), lost(8.9)], goneAt(6), []],
    ['one that stood still until then', [asked(2), stalled(20, 14_000), lost(20.1)], goneAt(6), []],
    [
      'one that was frozen until then',
      [asked(2), lost(20.1)],
      goneAt(6),
      [fault('freeze', 5, 20, { worker: 'p0' })],
    ],
    ['one that is closed', [asked(2), closed(3)], goneAt(3), []],
    ['one whose process was killed', [asked(2)], goneAt(6), [fault('kill', 4, 4, { worker: 'p0' })]],
    [
      'one that is closed as soon as it is no longer alive',
      [asked(2), asked(4, 0), closed(4.1)],
      goneAt(6),
      [],
    ],
  ])('finds nothing in %s', (_what, history, log, faults) => {
    expect(checkLosses(evidence(history, log, faults))).toEqual([]);
  });

  it.each<[string, SessionOperation[], EtcdEvent[], FaultEntry[]]>([
    ['one that is told too late', [asked(2), lost(9.1)], goneAt(6), []],
    ['one that is told when it is closed, too late', [asked(2), closed(9.1)], goneAt(6), []],
    ['one that is no longer alive, and not told', [asked(2), asked(4, 0), closed(7)], goneAt(8), []],
    ['one that another stood still for', [lost(20)], goneAt(6), [fault('freeze', 5, 20, { worker: 'p1' })]],
    ['one that is told long after its process went on', [stalled(10, 4_000), lost(14)], goneAt(6), []],
  ])('finds %s', (_what, history, log, faults) => {
    expect(checkLosses(evidence(history, log, faults))).toHaveLength(1);
  });

  it('knows the longest time that it took to tell', () => {
    expect(longestToTellMs(evidence([lost(6.5)], goneAt(6)))).toBe(500);
    expect(longestToTellMs(evidence([lost(5)], goneAt(6)))).toBe(0);
    expect(longestToTellMs(evidence([closed(5)], goneAt(6)))).toBe(0);
  });
});

describe('the check of keys', () => {
  it.each<[string, SessionOperation[], EtcdEvent[], FaultEntry[]]>([
    ['a key that goes with its session', [closed(5)], goneAt(5), []],
    ['a key that runs out', [lost(5)], goneAt(11.9), []],
    [
      'a key that a change of leaders has kept',
      [lost(5)],
      goneAt(19),
      [fault('leader killed', 6, 13, { member: 'm1' })],
    ],
    ['a key that a machine with too much to do has kept', [closed(5), stalled(11, 500)], goneAt(17.9), []],
    ['a key that was written late', [closed(0)], goneAt(7.9), []],
    ['a key that was never written', [closed(5)], [], []],
  ])('finds nothing in %s', (_what, history, log, faults) => {
    expect(checkKeys(evidence(history, log, faults))).toEqual([]);
  });

  it.each<[string, SessionOperation[], EtcdEvent[], FaultEntry[]]>([
    ['a key that stays', [closed(5)], [WRITTEN], []],
    ['a key that stays of who was killed', [asked(2)], [WRITTEN], []],
    ['a key that stays too long', [closed(5)], goneAt(12.1), []],
    [
      'a key that stays too long after all is mended',
      [lost(5)],
      goneAt(21),
      [fault('leader killed', 6, 13, { member: 'm1' })],
    ],
  ])('finds %s', (_what, history, log, faults) => {
    expect(checkKeys(evidence(history, log, faults))).toHaveLength(1);
  });
});
