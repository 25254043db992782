import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { IOptions } from 'etcd3';
import { ValidationError } from './errors.js';
import type { TlsOptions } from './options.js';

type Credentials = NonNullable<IOptions['credentials']>;

/** What was read last and could be used, for each client. */
const lastGood = new WeakMap<TlsOptions, Credentials>();

/**
 * Reads certificates and keys for etcd3.
 *
 * A connection may be opened just when the files are being replaced: one is gone, half written, or does
 * not fit the other yet. Then the last good ones serve once more.
 * @param onStale called with the reason when they do
 * @throws {ValidationError} naming the file that cannot be read, when there are no good ones yet
 */
export function readCredentials(
  tls: TlsOptions | undefined,
  onStale: (reason: string) => void,
): IOptions['credentials'] {
  if (tls === undefined) return undefined;
  try {
    const credentials = read(tls);
    lastGood.set(tls, credentials);
    return credentials;
  } catch (error) {
    const credentials = lastGood.get(tls);
    if (credentials === undefined) throw error;
    onStale(error instanceof Error ? error.message : String(error));
    return credentials;
  }
}

function read(tls: TlsOptions): Credentials {
  const ca = material('ca', tls.ca, tls.caFile);
  const cert = material('cert', tls.cert, tls.certFile);
  const key = material('key', tls.key, tls.keyFile);
  if ((cert === undefined) !== (key === undefined)) {
    throw new ValidationError([{ path: 'tls', message: 'a client certificate needs both cert and key' }]);
  }
  assertUsable(ca, cert, key);
  return {
    rootCertificate: ca ?? Buffer.from(rootCertificates.join('\n')),
    ...(cert && key ? { certChain: cert, privateKey: key } : {}),
  };
}

/** What is no certificate or key, or a key that does not fit, would only fail within grpc-js. */
function assertUsable(ca: Buffer | undefined, cert: Buffer | undefined, key: Buffer | undefined): void {
  try {
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ValidationError([{ path: 'tls', message: `cannot be used: ${reason}` }], { cause });
  }
}

function material(
  name: string,
  inline: string | Uint8Array | undefined,
  file: string | undefined,
): Buffer | undefined {
  if (inline !== undefined) return Buffer.from(inline);
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ValidationError([{ path: `tls.${name}File`, message: `cannot be read: ${reason}` }], { cause });
  }
}
