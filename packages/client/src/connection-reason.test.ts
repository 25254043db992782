import { describe, expect, it } from 'vitest';
import { connectionReason } from './connection-reason.js';

describe('connectionReason', () => {
  it.each([
    [
      'connect ECONNREFUSED 127.0.0.1:1; nothing listens there: is etcd running, and is this its client port?',
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1',
    ],
    [
      'Name resolution failed for target dns:etcd.invalid:1; nobody knows this host: is its name right?',
      'Name resolution failed for target dns:etcd.invalid:1',
    ],
    [
      'connect EHOSTUNREACH 10.1.1.1:1; no way leads there: are address and network right?',
      'No connection established. Last error: Error: connect EHOSTUNREACH 10.1.1.1:1',
    ],
    [
      'certificate signature failure; is tls.caFile the CA of this server?',
      'No connection established. Last error: Error: certificate signature failure',
    ],
    [
      /^sslv3 alert bad certificate; the server refuses the client certificate: give tls.certFile/,
      'No connection established. Last error: 80DC:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../deps/rec_layer_s3.c:1601:SSL alert number 42\n (2026-11-21T05:03:43.263Z)',
    ],
    [
      /^Hostname.* does not match.*; set tls.serverName/,
      "No connection established. Last error: Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: Host: x",
    ],
    [
      /; renew the certificate of the server/,
      'No connection established. Last error: Error: certificate has expired',
    ],
    [/http:\/\/\?$/, 'Client network socket disconnected before secure TLS connection was established'],
    [/http:\/\/\?$/, 'No connection established. Last error: Error: read ECONNRESET'],
    ['read ECONNRESET', 'read ECONNRESET'],
    ['Connection dropped', 'Connection dropped'],
  ])('%s', (expected, details) => {
    const reason = connectionReason(details, 'https://e:1');
    if (typeof expected === 'string') expect(reason).toBe(expected);
    else expect(reason).toMatch(expected);
  });

  it('a server that hangs up may want the other scheme', () => {
    const details = 'No connection established. Last error: Failed to connect (2026-11-21T05:03:43.292Z)';
    expect(connectionReason(details, 'http://e:1')).toContain('does it want https://?');
    expect(connectionReason(details, 'https://e:1')).toBe('Failed to connect');
  });
});
