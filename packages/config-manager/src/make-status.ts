import type { ConfigManagerStatus, ConfigRejection } from './config-manager-types.js';

/** A status as of now, with a `toJSON` for its bigints. */
export function makeStatus(fields: Omit<ConfigManagerStatus, 'toJSON'>): ConfigManagerStatus {
  const toJSON = () => ({
    ...fields,
    revision: fields.revision.toString(),
    layers: fields.layers.map((layer) => ({ ...layer, revision: layer.revision.toString() })),
    rejected: fields.rejected && rejectionToJSON(fields.rejected),
    lastError: fields.lastError === undefined ? undefined : String(fields.lastError),
  });
  return Object.freeze(Object.defineProperty({ ...fields, toJSON }, 'toJSON', { enumerable: false }));
}

function rejectionToJSON({ error, ...rejection }: ConfigRejection): Record<string, unknown> {
  return { ...rejection, revision: rejection.revision.toString(), error: String(error) };
}
