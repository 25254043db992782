interface Explanation {
  readonly says: RegExp;
  /** Only for endpoints of this scheme. */
  readonly scheme?: 'http' | 'https';
  /** Only where no connection has come about. @default false */
  readonly connecting?: boolean;
  readonly means: string;
}

/** What grpc-js, Node.js and OpenSSL say when a connection cannot be made, and what mends it. */
const EXPLANATIONS: readonly Explanation[] = [
  { says: /ECONNREFUSED/, means: 'nothing listens there: is etcd running, and is this its client port?' },
  { says: /^Name resolution failed|ENOTFOUND/, means: 'nobody knows this host: is its name right?' },
  { says: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/, means: 'no way leads there: are address and network right?' },
  {
    says: /alert (bad certificate|unknown ca|certificate (required|expired|unknown|revoked)|handshake failure)/,
    means:
      'the server refuses the client certificate: give tls.certFile and tls.keyFile, valid and from a CA that it trusts',
  },
  {
    says: /certificate has expired|certificate is not yet valid/,
    means: 'renew the certificate of the server, or set the clock of this machine',
  },
  {
    says: /certificate signature failure|unable to verify|issuer certificate|self[- ]signed certificate/,
    means: 'is tls.caFile the CA of this server?',
  },
  { says: /certificate's altnames/, means: 'set tls.serverName to a name in the certificate' },
  {
    says: /before secure TLS connection was established|wrong version number|packet length too long/,
    means: 'does the server speak plain text, http://?',
  },
  // A server that hangs up before it has read all that it was sent resets the connection.
  {
    says: /^read ECONNRESET$/,
    scheme: 'https',
    connecting: true,
    means: 'connection closed by the server: does it speak plain text, http://?',
  },
  // All that grpc-js says when a TLS server hangs up on plain text.
  {
    says: /^(Failed to connect|read ECONNRESET)$/,
    scheme: 'http',
    connecting: true,
    means: 'connection closed by the server: does it want https://?',
  },
  { says: /^Protocol error$/, means: 'is this an etcd 3 endpoint?' },
];

const CONNECTING = /^No connection established\. Last error: /;

/** Says in plain words why an endpoint could not be reached, and what to do about it. */
export function connectionReason(details: string, endpoint: string): string {
  const connecting = CONNECTING.test(details);
  const reason = details
    .replace(CONNECTING, '')
    .replace(/^Error(?: \[\w+\])?: /, '')
    .replace(/\s*\(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '')
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:SSL routines:\w*:([^:]+):[\s\S]*$/, '$1')
    .trim();
  const explanation = EXPLANATIONS.find(
    (each) =>
      each.says.test(reason) &&
      (each.scheme === undefined || endpoint.startsWith(`${each.scheme}:`)) &&
      (connecting || !each.connecting),
  );
  return explanation ? `${reason}; ${explanation.means}` : reason;
}
