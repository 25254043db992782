import type { Attributes } from '@opentelemetry/api';

export type ServerAttributes = () => Attributes;

/** The server in use, as the conventions want it: https://opentelemetry.io/docs/specs/semconv/registry/attributes/server/ */
export function serverAttributes(endpoint: () => string): ServerAttributes {
  let url: string | undefined;
  let attributes: Attributes = {};
  return () => {
    const current = endpoint();
    if (current !== url) {
      url = current;
      const { hostname, port, protocol } = new URL(current);
      // URL leaves the scheme's own port out.
      const known = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
      attributes = { 'server.address': hostname, 'server.port': known };
    }
    return attributes;
  };
}
