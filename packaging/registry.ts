import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import type { Tarball } from './tarballs.js';

/** A package registry on the loopback that has the packed packages, and no other. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
}

/** Serves the tarballs as npm's registry would: `npm install @coord/lock` then works by name, as it does for users. */
export async function startRegistry(tarballs: readonly Tarball[]): Promise<Registry> {
  const files = new Map<string, Buffer>();
  const documents = new Map<string, (url: string) => unknown>();
  for (const { file, manifest } of tarballs) {
    const content = await readFile(file);
    const path = `/tarballs/${basename(file)}`;
    const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    files.set(path, content);
    documents.set(`/${manifest.name}`, (url) => ({
      name: manifest.name,
      'dist-tags': { latest: manifest.version },
      versions: {
        [manifest.version]: {
          ...manifest,
          _id: `${manifest.name}@${manifest.version}`,
          dist: { tarball: url + path, integrity },
        },
      },
    }));
  }
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    const file = files.get(path);
    const document = documents.get(path);
    if (file !== undefined) response.end(file);
    else if (document === undefined) response.writeHead(404).end('{"error":"Not found"}');
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(document(url)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
