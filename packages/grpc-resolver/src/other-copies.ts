import { createRequire } from 'node:module';
import { sep } from 'node:path';
import type { GrpcModule } from './grpc-adapter.js';

/** grpc-js is CommonJS, so every loaded copy is in this one cache of the process, imported or required. */
const { cache } = createRequire(import.meta.url);
const ENTRY = ['@grpc', 'grpc-js', 'build', 'src', 'index.js'].join(sep);
const warned = new Set<string>();

/**
 * Warns of copies of grpc-js in this process that do not know a scheme. A client of such a copy would fail with
 * "Failed to parse DNS address", which tells nobody what is wrong. Each copy is mentioned once for each scheme.
 */
export function warnOfOtherCopies(
  scheme: string,
  isTaught: (grpc: Pick<GrpcModule, 'experimental'>) => boolean,
): void {
  const others = Object.entries(cache).flatMap(([file, module]) => {
    const copy: unknown = module?.exports;
    if (!file.endsWith(ENTRY) || !isCopy(copy) || isTaught(copy)) return [];
    return warned.has(`${scheme} ${file}`) ? [] : [file];
  });
  if (others.length === 0) return;
  for (const file of others) warned.add(`${scheme} ${file}`);
  process.emitWarning(`"${scheme}:" targets are not known to ${others.join(', ')}`, {
    type: 'CoordWarning',
    code: 'COORD_GRPC_COPIES',
    detail:
      'There are several copies of @grpc/grpc-js in this process, and resolvers belong to one copy. If your clients come ' +
      'from that one they fail with "Failed to parse DNS address": install a single copy, or pass yours as the option `grpc`.',
  });
}

function isCopy(module: unknown): module is Pick<GrpcModule, 'experimental'> {
  return typeof module === 'object' && module !== null && 'experimental' in module;
}
