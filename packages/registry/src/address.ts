import { isIPv6 } from 'node:net';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A host name or IP address; no scheme, path, brackets or white space. */
const HOST = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?$/;

export function isHost(host: string): boolean {
  return isIPv6(host) || HOST.test(host);
}

export function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** `10.0.0.1:8080`, `host:8080` or `[::1]:8080`; undefined when it is none of these. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^[\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  const valid = bracketed === undefined ? HOST.test(host) : isIPv6(host);
  return valid && isPort(port) ? { host, port } : undefined;
}

/** `host:port`, with an IPv6 address in brackets: what Go's resolver and every dialler understand. */
export function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
