import { describe, expect, it } from 'vitest';
import type { FaultEntry } from '../run/fault-log.js';
import { checkCalls } from './check-calls.js';
import type { ResolverOperation } from './resolver-operations.js';

const S = 1_000_000;

function serve(process: string, address: string, at: number): ResolverOperation {
  const times = { invokedAt: at * S, returnedAt: (at + 0.5) * S };
  return { process, name: 'serve', input: { address }, output: {}, outcome: 'ok', ...times };
}
function depart(process: string, address: string, at: number): ResolverOperation {
  const times = { invokedAt: at * S, returnedAt: (at + 0.5) * S };
  return { process, name: 'depart', input: { address }, output: {}, outcome: 'ok', ...times };
}
function given(at: number, ...instances: readonly string[]): ResolverOperation {
  const output = { instances, revision: 9, source: 'live' };
  const times = { invokedAt: at * S, returnedAt: at * S };
  return { process: 'c', name: 'list', input: { view: 'c x' }, output, outcome: 'ok', ...times };
}
function call(from: number, to: number, address?: string, code = 14): ResolverOperation {
  const output = { code, ...(address && { address }), details: 'why' };
  const times = { invokedAt: from * S, returnedAt: to * S };
  return { process: 'c', name: 'call', input: { connection: 'c x' }, output, outcome: 'ok', ...times };
}
function fault(kind: string, worker: string, from: number, to = from): FaultEntry {
  return { kind, where: { worker, point: 'x' }, beganAt: from * S, endedAt: to * S };
}

const START = [serve('a', 'A', 1), serve('b', 'B', 1), given(2, 'A', 'B')];
const check = (history: readonly ResolverOperation[], ...faults: readonly FaultEntry[]) =>
  checkCalls(
    [...history].sort((x, y) => x.invokedAt - y.invokedAt),
    faults,
  );

describe('the check of calls', () => {
  it('finds nothing where calls are fine, whatever becomes of servers', () => {
    const { violations, explained } = check(
      [...START, call(5, 6, 'A', 0), call(6, 7, 'B', 0)],
      fault('kill', 'a', 5),
    );
    expect([violations, explained.size]).toEqual([[], 0]);
  });

  it.each<[string, string, ResolverOperation[], FaultEntry[]]>([
    [
      'was under way when its server was killed',
      'server was killed',
      [call(5, 7, 'A')],
      [fault('kill', 'a', 6)],
    ],
    [
      'began just after its server was killed',
      'server was killed',
      [call(7, 7.1, 'A')],
      [fault('kill', 'a', 6)],
    ],
    [
      'went to a server that was frozen',
      'server was frozen',
      [call(7, 17, 'A', 4)],
      [fault('freeze', 'a', 6, 12)],
    ],
    [
      'was made by who was frozen',
      'caller was frozen',
      [call(5, 15, 'A', 4)],
      [fault('freeze amid', 'c', 6, 14)],
    ],
    ['went nowhere when no list had been given', 'nobody was there', [call(1.5, 1.6)], []],
    [
      'went to one whose departure its caller could not hear of',
      'departure was unheard of',
      [depart('a', 'A', 4), call(6.5, 6.6, 'A')],
      [{ ...fault('black hole', '', 4.2, 6), where: { member: 'm1' } }],
    ],
    [
      'went nowhere when the only one had just been named',
      'nobody was there',
      [given(4), given(6, 'B'), call(7, 7.1)],
      [],
    ],
    [
      'went nowhere when all were taken from the list',
      'nobody was there',
      [given(5.5), given(6, 'A'), call(5.2, 7)],
      [],
    ],
    [
      'went nowhere when all were gone that had been named',
      'nobody was there',
      [depart('a', 'A', 4), call(7, 7.1)],
      [fault('kill', 'b', 6)],
    ],
  ])('finds nothing in a call that %s', (_what, why, history, faults) => {
    const { violations, explained } = check([...START, ...history], ...faults);
    expect([violations, explained]).toEqual([[], new Map([[why, 1]])]);
  });

  it('lets a deadline pass while the wall clock is set, and nothing else', () => {
    const set = { ...fault('clock an hour ahead', '', 4, 7), where: { member: 'm1' } };
    expect(check([...START, call(5, 6, 'A', 4)], set).explained).toEqual(new Map([['clock was set', 1]]));
    expect(check([...START, call(5, 6, 'A', 14)], set).violations).toHaveLength(1);
    expect(check([...START, call(8, 9, 'A', 4)], set).violations).toHaveLength(1);
  });

  it.each<[string, ResolverOperation[], FaultEntry[]]>([
    ['to a server that nothing has happened to', [call(5, 5.1, 'A')], [fault('kill', 'b', 5)]],
    ['to a server that was killed long ago', [call(20, 20.1, 'A')], [fault('kill', 'a', 6)]],
    ['to a server that is killed later', [call(5, 5.1, 'A')], [fault('kill', 'a', 6)]],
    ['to a server that was frozen long ago', [call(20, 20.1, 'A')], [fault('freeze', 'a', 6, 12)]],
    ['to a server that has departed', [depart('a', 'A', 4), call(5, 5.1, 'A')], []],
    ['to one whose departure was heard of', [depart('a', 'A', 4), given(4.2, 'B'), call(4.5, 4.6, 'A')], []],
    ['to somebody unknown', [call(5, 5.1, 'C')], [fault('kill', 'a', 5)]],
    [
      'while etcd is away',
      [call(5, 6, 'A')],
      [{ ...fault('all killed', '', 4, 7), where: { member: 'm1' } }],
    ],
    ['that went nowhere though one was there', [call(6, 6.1)], [fault('kill', 'a', 4)]],
    ['that went nowhere though one had been named for long', [given(4), given(6, 'B'), call(10, 10.1)], []],
  ])('finds a failed call %s', (_what, history, faults) => {
    expect(check([...START, ...history], ...faults).violations).toMatchObject([{ invariant: 'S2' }]);
  });
});
