import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { IOptions } from 'etcd3';
import { ValidationError } from './errors.js';
import type { TlsOptions } from './options.js';

/**
 * Reads certificates and keys for etcd3.
 * @throws {ValidationError} naming the file that cannot be read
 */
export function readCredentials(tls: TlsOptions | undefined): IOptions['credentials'] {
  if (tls === undefined) return undefined;
  const ca = material('ca', tls.ca, tls.caFile);
  const cert = material('cert', tls.cert, tls.certFile);
  const key = material('key', tls.key, tls.keyFile);
  if ((cert === undefined) !== (key === undefined)) {
    throw new ValidationError([{ path: 'tls', message: 'a client certificate needs both cert and key' }]);
  }
  return {
    rootCertificate: ca ?? Buffer.from(rootCertificates.join('\n')),
    ...(cert && key ? { certChain: cert, privateKey: key } : {}),
  };
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
