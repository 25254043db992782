import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Manifest, Tarball } from './tarballs.js';

/** A package registry on the loopback that has the packed packages, and no other. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
  /** What a package of it says of itself. */
  manifestOf(name: string): Manifest | undefined;
}

interface Published {
  readonly manifest: Manifest;
  /** The name of the tarball. */
  readonly file: string;
  readonly content: Buffer;
}

/**
 * Serves the tarballs as npm's registry would: `npm install @coord/lock` then works by name, as it does for users.
 * Takes what is published to it, too.
 */
export async function startRegistry(tarballs: readonly Tarball[] = []): Promise<Registry> {
  const packages = new Map<string, Published>();
  for (const { file, manifest } of tarballs) {
    packages.set(manifest.name, { manifest, file: basename(file), content: await readFile(file) });
  }
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    const name = path.slice(1);
    if (request.method === 'PUT') {
      publish(request).then(
        (published) => {
          packages.set(name, published);
          response.writeHead(201).end('{"ok":true}');
        },
        (error) => response.writeHead(400).end(JSON.stringify({ error: String(error) })),
      );
      return;
    }
    const published = packages.get(name);
    const tarball = [...packages.values()].find(({ file }) => path === `/tarballs/${file}`);
    if (tarball !== undefined) response.end(tarball.content);
    else if (published === undefined) response.writeHead(404).end('{"error":"Not found"}');
    else
      response.setHeader('content-type', 'application/json').end(JSON.stringify(packument(published, url)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    manifestOf: (name) => packages.get(name)?.manifest,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The document that a registry has for each package. */
function packument({ manifest, file, content }: Published, url: string): unknown {
  const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
  const dist = { tarball: `${url}/tarballs/${file}`, integrity };
  return {
    name: manifest.name,
    'dist-tags': { latest: manifest.version },
    versions: { [manifest.version]: { ...manifest, _id: `${manifest.name}@${manifest.version}`, dist } },
  };
}

/** What `npm publish` sends: https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md */
interface Publication {
  readonly versions: Readonly<Record<string, Manifest>>;
  readonly _attachments: Readonly<Record<string, { readonly data: string }>>;
}

async function publish(request: IncomingMessage): Promise<Published> {
  const { versions, _attachments }: Publication = JSON.parse(await text(request));
  const manifest = Object.values(versions)[0];
  const attachment = Object.values(_attachments)[0];
  if (manifest === undefined || attachment === undefined) throw new Error('nothing is published with that');
  const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
  return { manifest, file, content: Buffer.from(attachment.data, 'base64') };
}
