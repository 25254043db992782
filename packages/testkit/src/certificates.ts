import { generateKeyPair, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import forge from 'node-forge';
import type { EtcdTlsFiles } from './etcd-server.js';
import type { CallTls } from './http.js';

/** Certificates of one server. @internal */
export interface TlsMaterial {
  /** For clients. */
  readonly files: EtcdTlsFiles;
  /** For calls to etcd's JSON gateway, which refuses a client certificate with a common name. */
  readonly call: CallTls;
  /** etcd's flags. */
  readonly serverArgs: readonly string[];
  /** Holds all of them: ca, server, server-key, client, client-key, each `.pem`. */
  readonly folder: string;
  readonly clientCertAuth: boolean;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 30;

interface Identity {
  /** The common name. */
  readonly name: string | undefined;
  readonly keys: forge.pki.rsa.KeyPair;
  readonly keyPem: string;
}

/**
 * Makes a CA, a server and a client certificate (RSA 2048, valid for 30 days) and writes them into `folder`.
 *
 * @param options.host where the server is reached, if not on this machine's loopback
 * @internal
 */
export async function createTlsFiles(
  folder: string,
  options: { readonly clientCertAuth: boolean; readonly host?: string | undefined },
): Promise<TlsMaterial> {
  const [ca, server, client] = await Promise.all([
    createIdentity('coord testkit CA'),
    createIdentity('coord-testkit-server'),
    createIdentity('coord-testkit-client'),
  ]);
  const hosts = [...new Set(['localhost', '127.0.0.1', '::1', ...(options.host ? [options.host] : [])])];
  const pem = {
    'ca.pem': certificate(ca, ca, hosts),
    'server.pem': certificate(server, ca, hosts),
    'server-key.pem': server.keyPem,
    'client.pem': certificate(client, ca, hosts),
    'client-key.pem': client.keyPem,
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await Promise.all(
    Object.entries(pem).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })),
  );
  const path = (name: keyof typeof pem) => join(folder, name);
  return {
    files: { caFile: path('ca.pem'), certFile: path('client.pem'), keyFile: path('client-key.pem') },
    call: {
      ca: pem['ca.pem'],
      cert: certificate({ ...client, name: undefined }, ca, hosts),
      key: pem['client-key.pem'],
    },
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
  // Node makes the keys off the main thread; forge only writes the certificates.
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const keys = {
    publicKey: forge.pki.publicKeyFromPem(publicKey),
    privateKey: forge.pki.privateKeyFromPem(privateKey),
  };
  return { name, keys, keyPem: privateKey };
}

function certificate(subject: Identity, issuer: Identity, hosts: readonly string[]): string {
  const made = forge.pki.createCertificate();
  made.publicKey = subject.keys.publicKey;
  made.serialNumber = `01${randomBytes(15).toString('hex')}`;
  made.validity.notBefore = new Date(Date.now() - DAY_MS / 24); // the clock of a container may be behind
  made.validity.notAfter = new Date(Date.now() + VALID_DAYS * DAY_MS);
  made.setSubject(nameOf(subject));
  made.setIssuer(nameOf(issuer));
  made.setExtensions(subject === issuer ? CA_EXTENSIONS : leafExtensions(hosts));
  made.sign(issuer.keys.privateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(made);
}

function nameOf({ name }: Identity): { name: string; value: string }[] {
  const organization = { name: 'organizationName', value: 'coord testkit' };
  return name === undefined ? [organization] : [organization, { name: 'commonName', value: name }];
}

const CA_EXTENSIONS = [
  { name: 'basicConstraints', critical: true, cA: true },
  { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
  { name: 'subjectKeyIdentifier' },
];

function leafExtensions(hosts: readonly string[]): object[] {
  const altNames = hosts.map((host) => (isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }));
  return [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    // Both for each: etcd's gateway is a client that shows the certificate of the server.
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames },
  ];
}
