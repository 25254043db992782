import { randomBytes } from 'node:crypto';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTlsFiles, type TlsMaterial } from './certificates.js';
import { type DockerTarget, guard, unguard } from './reaper.js';

/** The temporary folder of one server, guarded against a crash of this process. @internal */
export interface Workspace {
  readonly id: string;
  readonly folder: string;
  readonly tls: TlsMaterial | undefined;
  remove(): Promise<void>;
}

/** @internal */
export async function createWorkspace(options: {
  readonly tls: { readonly clientCertAuth: boolean } | undefined;
  readonly docker?: { readonly label: string; readonly target: DockerTarget | undefined } | undefined;
  /** Where the server will be reached, if not on loopback. */
  readonly host?: string | undefined;
}): Promise<Workspace> {
  const id = `coord-etcd-${randomBytes(8).toString('hex')}`;
  const folder = join(await realpath(tmpdir()), id);
  guard({
    id,
    folder,
    docker: options.docker?.target,
    dockerLabel: options.docker && `${options.docker.label}=${id}`,
  });
  const remove = async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    await unguard(id);
  };
  try {
    await mkdir(folder, { mode: 0o700 });
    const tls =
      options.tls && (await createTlsFiles(join(folder, 'tls'), { ...options.tls, host: options.host }));
    return { id, folder, tls, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
