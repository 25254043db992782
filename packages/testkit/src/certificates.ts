import { createHash, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { der } from './der.js';
import type { EtcdTlsFiles } from './etcd-server.js';
import type { CallTls } from './http.js';

/** Certificates of one server. @internal */
export interface TlsMaterial {
  /** For clients. */
  readonly files: EtcdTlsFiles;
  /** The same, read. */
  readonly call: CallTls;
  /** etcd's flags. */
  readonly serverArgs: readonly string[];
  /** Holds all of them: ca, server, server-key, client, client-key, each `.pem`. */
  readonly folder: string;
  readonly clientCertAuth: boolean;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 30;
const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
};

interface Identity {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/**
 * Makes a CA, a server and a client certificate (ECDSA P-256, valid for 30 days) and writes them into `folder`.
 * Node has no call that makes certificates; these are for tests, so the few that are needed are written here in DER.
 *
 * @internal
 */
export async function createTlsFiles(
  folder: string,
  options: { readonly clientCertAuth: boolean },
): Promise<TlsMaterial> {
  const [ca, server, client] = await Promise.all([
    createIdentity('coord testkit CA'),
    createIdentity('coord-testkit-server'),
    createIdentity('coord-testkit-client'),
  ]);
  const pem = {
    'ca.pem': certificate(ca, ca),
    'server.pem': certificate(server, ca),
    'server-key.pem': keyPem(server),
    'client.pem': certificate(client, ca),
    'client-key.pem': keyPem(client),
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await Promise.all(
    Object.entries(pem).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })),
  );
  const path = (name: keyof typeof pem) => join(folder, name);
  return {
    files: { caFile: path('ca.pem'), certFile: path('client.pem'), keyFile: path('client-key.pem') },
    call: { ca: pem['ca.pem'], cert: pem['client.pem'], key: pem['client-key.pem'] },
    serverArgs: serverArgs(folder, options.clientCertAuth),
    folder,
    clientCertAuth: options.clientCertAuth,
  };
}

/** etcd's flags for the certificates in `folder`. @internal */
export function serverArgs(folder: string, clientCertAuth: boolean): string[] {
  const auth = clientCertAuth ? ['--client-cert-auth=true', `--trusted-ca-file=${folder}/ca.pem`] : [];
  return [`--cert-file=${folder}/server.pem`, `--key-file=${folder}/server-key.pem`, ...auth];
}

async function createIdentity(name: string): Promise<Identity> {
  return { name, ...(await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })) };
}

function keyPem(identity: Identity): string {
  return identity.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function certificate(subject: Identity, issuer: Identity): string {
  const algorithm = der.sequence(der.oid(OID.ecdsaWithSha256));
  const now = Date.now();
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))), // version 3
    der.integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer.name),
    // An hour ago: the clock of a container may be behind.
    der.sequence(der.time(new Date(now - DAY_MS / 24)), der.time(new Date(now + VALID_DAYS * DAY_MS))),
    distinguishedName(subject.name),
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(3, der.sequence(...extensions(subject, issuer))),
  );
  const signature = sign('sha256', body, issuer.privateKey);
  const lines =
    der
      .sequence(body, algorithm, der.bitString(signature))
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(OID.commonName), der.utf8(name))));
}

function extensions(subject: Identity, issuer: Identity): Buffer[] {
  const isCa = subject === issuer;
  const identifiers = [
    extension(OID.subjectKeyIdentifier, der.octetString(keyId(subject))),
    extension(OID.authorityKeyIdentifier, der.sequence(der.implicit(0, keyId(issuer)))),
  ];
  if (isCa) {
    return [
      extension(OID.basicConstraints, der.sequence(der.boolean(true)), true),
      extension(OID.keyUsage, der.bitString(Buffer.from([0b0000_0110]), 1), true), // keyCertSign, cRLSign
      ...identifiers,
    ];
  }
  const names = der.sequence(
    der.implicit(2, Buffer.from('localhost')),
    der.implicit(7, Buffer.from([127, 0, 0, 1])),
    der.implicit(7, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])), // ::1
  );
  return [
    extension(OID.basicConstraints, der.sequence(), true),
    extension(OID.keyUsage, der.bitString(Buffer.from([0b1000_0000]), 7), true), // digitalSignature
    // Both for each: etcd's gateway is a client that shows the certificate of the server.
    extension(OID.extendedKeyUsage, der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth))),
    extension(OID.subjectAltName, names),
    ...identifiers,
  ];
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

function keyId(identity: Identity): Buffer {
  return createHash('sha1')
    .update(identity.publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}
