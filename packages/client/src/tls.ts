import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { IOptions } from 'etcd3';
import { ValidationError } from './errors.js';
import type { CoordLogger } from './logger.js';
import type { TlsOptions } from './options.js';

const PARTS = ['ca', 'cert', 'key'] as const;
type Material = { readonly [part in (typeof PARTS)[number]]?: Buffer };

/**
 * Reads certificates and keys for etcd3.
 * @throws {ValidationError} naming what cannot be read or used
 */
export function readCredentials(tls: TlsOptions | undefined): IOptions['credentials'] {
  if (tls === undefined) return undefined;
  const { ca, cert, key } = readMaterial(tls);
  return {
    rootCertificate: ca ?? Buffer.from(rootCertificates.join('\n')),
    ...(cert && key ? { certChain: cert, privateKey: key } : {}),
  };
}

/**
 * The credentials of new connections: the files as they are now. A connection that is open stays.
 *
 * Files that cannot be used, as while they are being written, leave the credentials as they were.
 */
export class TlsCredentials {
  readonly #tls: TlsOptions;
  readonly #logger: CoordLogger;
  /** What the files looked like when they were read. */
  #read: string;
  #refused: string | undefined;
  #context: SecureContext;

  /** @throws {ValidationError} naming what cannot be read or used */
  constructor(tls: TlsOptions, logger: CoordLogger) {
    this.#tls = tls;
    this.#logger = logger;
    this.#read = fingerprint(tls);
    this.#context = contextOf(tls);
  }

  get current(): SecureContext {
    const now = fingerprint(this.#tls);
    if (now !== this.#read) this.#reread(now);
    return this.#context;
  }

  #reread(now: string): void {
    try {
      this.#context = contextOf(this.#tls);
      this.#read = now;
      this.#refused = undefined;
      this.#logger.info('TLS files have changed; new connections use them');
    } catch (error) {
      if (this.#refused === now) return;
      this.#refused = now;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn('TLS files have changed, but are of no use; the old ones are kept', { reason });
    }
  }
}

/** @throws {ValidationError} naming what cannot be read or used */
function contextOf(tls: TlsOptions): SecureContext {
  const { ca, cert, key } = readMaterial(tls);
  try {
    return createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw unusable('tls', cause);
  }
}

function readMaterial(tls: TlsOptions): Material {
  const material: Material = Object.fromEntries(PARTS.map((part) => [part, read(tls, part)]));
  const { ca, cert } = material;
  // OpenSSL takes what it can read of a CA file and ignores the rest.
  if (ca) checkCertificates(ca, tls.ca === undefined ? 'tls.caFile' : 'tls.ca');
  if (cert) checkCertificates(cert, tls.cert === undefined ? 'tls.certFile' : 'tls.cert');
  return material;
}

function read(tls: TlsOptions, part: (typeof PARTS)[number]): Buffer | undefined {
  const inline = tls[part];
  if (inline !== undefined) return Buffer.from(inline);
  const file = tls[`${part}File`];
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw unusable(`tls.${part}File`, cause);
  }
}

function checkCertificates(pem: Buffer, path: string): void {
  const blocks = pem.toString('latin1').split(/(?=-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----)/);
  const certificates = blocks.filter((block) => block.startsWith('-----BEGIN'));
  try {
    if (certificates.length === 0) throw new Error('there is no PEM certificate in it');
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): ValidationError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ValidationError([{ path, message: `cannot be used: ${reason}` }], { cause });
}

/** Changes when a file does, also when a symbolic link leads elsewhere, as in Kubernetes. */
function fingerprint(tls: TlsOptions): string {
  const files = PARTS.flatMap((part) => (tls[part] === undefined ? (tls[`${part}File`] ?? []) : []));
  return files.map(fingerprintOf).join(' ');
}

function fingerprintOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino}/${size}/${mtimeNs}`;
  } catch {
    return 'unreadable'; // why, whoever reads it will be told
  }
}
