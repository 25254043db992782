import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { holesOf, KNOWN_HOLES } from './known-holes.js';
import { capabilitiesOf } from './server-capabilities.js';

const NESTED = /Txn within a Txn/;
const PUT = /put in a Txn/;
const WATCH = /watch every key/;
const STALE = /stale/;
const LEASE = /revoked lease/;
const SLOW = /slow watch/;

describe('known holes', () => {
  it.each([
    ['3.4.23', [NESTED, PUT, WATCH, STALE, LEASE, SLOW]],
    ['3.4.31', [NESTED, PUT, WATCH, STALE, LEASE]],
    ['3.4.38', [NESTED, PUT, WATCH, STALE]],
    ['3.4.45', [WATCH]], // the last 3.4
    ['3.5.12', [NESTED, PUT, WATCH, STALE, LEASE, SLOW]],
    ['3.5.16', [NESTED, PUT, WATCH, STALE, LEASE]],
    ['3.5.23', [NESTED, PUT, WATCH, STALE]],
    ['3.5.28', [PUT, WATCH]],
    ['3.5.30', [WATCH]],
    ['3.5.33', []],
    ['3.6.4', [NESTED, PUT, WATCH, STALE, LEASE]],
    ['3.6.9', [PUT, WATCH]],
    ['3.6.14', []],
    ['3.7.0', [WATCH]],
    ['3.7.1', []],
    ['3.8.0', []],
  ])('of %s', (version, expected) => {
    const holes = holesOf(version, true);
    expect(holes.map(({ what }) => what)).toEqual(expected.map((what) => expect.stringMatching(what)));
  });

  it('permissions are no concern of a client without an identity', () => {
    expect(holesOf('3.4.23', false).map(({ what }) => what)).toEqual([
      expect.stringMatching(STALE),
      expect.stringMatching(LEASE),
      expect.stringMatching(SLOW),
    ]);
  });
});

describe('server capabilities', () => {
  it.each([
    [undefined, false, { nestedTxnSafe: true, putInTxnSafe: true }],
    [undefined, true, { nestedTxnSafe: false, putInTxnSafe: false }],
    ['3.4.23', true, { nestedTxnSafe: false, putInTxnSafe: false }],
    ['3.4.25', true, { nestedTxnSafe: false, putInTxnSafe: false }],
    ['3.5.16', false, { nestedTxnSafe: true, putInTxnSafe: true }],
    ['3.5.28', true, { nestedTxnSafe: true, putInTxnSafe: false }],
    ['3.5.30', true, { nestedTxnSafe: true, putInTxnSafe: true }],
    ['3.6.14', true, { nestedTxnSafe: true, putInTxnSafe: true }],
  ])('of %s, with an identity: %s', (version, hasIdentity, expected) => {
    expect(capabilitiesOf(version, hasIdentity)).toEqual({ version, ...expected });
  });

  it('are those that the documentation names, with the versions that mend them', () => {
    const page = readFileSync(new URL('../../../docs/operations/versions.md', import.meta.url), 'utf8');
    const rows = page.split('\n').map((row) => row.split('|').map((cell) => cell.trim()));
    for (const { what, fixedIn, permissions } of KNOWN_HOLES) {
      const [, , versions, usersOnly] = rows.find(([, named]) => named === what) ?? [];
      expect([what, versions, usersOnly]).toEqual([what, fixedIn.join(', '), permissions ? 'yes' : 'no']);
    }
  });
});
