import { isIPv4, isIPv6 } from 'node:net';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** One part of a host name between dots. Underscores are no part of the standard, but are met inside clusters. */
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const MAX_HOST_LENGTH = 253;

/** A host name or IP address; no scheme, path, brackets or white space. */
export function isHost(host: string): boolean {
  return isIPv6(host) || isNameOrIPv4(host);
}

function isNameOrIPv4(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  if (name.length > MAX_HOST_LENGTH) return false;
  const labels = name.split('.');
  // What ends in a number is an IPv4 address, or a mistake: https://url.spec.whatwg.org/#ends-in-a-number-checker
  if (/^\d+$/.test(labels.at(-1) ?? '')) return isIPv4(host);
  return labels.every((label) => LABEL.test(label));
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
  const valid = bracketed === undefined ? isNameOrIPv4(host) : isIPv6(host);
  return valid && isPort(port) ? { host, port } : undefined;
}

/** `host:port`, with an IPv6 address in brackets: what Go's resolver and every dialler understand. */
export function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
