import { describe, expect, it } from 'vitest';
import { ClosedError, ResourceExhaustedError } from '../errors.js';
import { txnCall } from './kv-call.js';
import { PendingCall } from './pending-call.js';

describe('a call that is sent again', () => {
  it('stays in doubt when the second attempt never gets anywhere', async () => {
    const request = { compare: [], success: [], failure: [] };
    const deadline = { timeoutMs: 1_000, expiresAt: 1_000 };
    const pending = new PendingCall(0, txnCall(request, 'write'), {}, deadline, () => {});
    const outcome = expect(pending.answer).rejects.toMatchObject({ name: 'ClosedError', outcome: 'unknown' });
    const doubt = new ResourceExhaustedError('database space exceeded', { outcome: 'unknown' });
    await pending.sendAlone(() => Promise.reject(new ClosedError('not sent')), 0, doubt);
    await outcome;
  });
});
