import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { PeerLineHandle } from './peer-line.js';
import { readSocksRequest } from './socks.js';

/** What a member is told so that its connections to other members go through the network. @internal */
export interface PeerAccess {
  /** What the others dial. */
  readonly peerUrl: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Station {
  readonly name: string;
  readonly peerPort: number;
  /** The SOCKS proxy of this member alone: who connects here is known. */
  readonly gate: Server;
}

/** Addresses for documentation (RFC 5737): nobody has them, and etcd takes no proxy to those of loopback. */
const NETWORK = '192.0.2';
const PEER_PORT = 2380;

/**
 * The lines between the members. All members advertise one address to all others, so a proxy in front of each could not tell who
 * connects. Instead each member has a SOCKS proxy of its own (etcd, as any Go program, heeds `HTTP_PROXY`), which is told whom it wants.
 *
 * @internal
 */
export class PeerNetwork {
  /** By the address that stands for the member. */
  readonly #stations = new Map<string, Station>();
  readonly #lines = new Map<string, PeerLineHandle>();
  #joined = 0;

  async join(name: string, peerPort: number): Promise<PeerAccess> {
    this.#joined += 1;
    const host = `${NETWORK}.${this.#joined}`;
    const gate = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      void this.#connected(socket, name);
    });
    gate.listen({ port: 0, host: '127.0.0.1' });
    await once(gate, 'listening');
    gate.unref();
    this.#stations.set(host, { name, peerPort, gate });
    const address = gate.address();
    const gatePort = address && typeof address === 'object' ? address.port : 0;
    return { peerUrl: `http://${host}:${PEER_PORT}`, environment: proxied(`socks5://127.0.0.1:${gatePort}`) };
  }

  leave(name: string): void {
    for (const [host, station] of this.#stations) {
      if (station.name !== name) continue;
      station.gate.close();
      this.#stations.delete(host);
    }
    for (const [key, line] of this.#lines) {
      if (!key.split(' ').includes(name)) continue;
      line.cut();
      this.#lines.delete(key);
    }
  }

  between(a: string, b: string): PeerLineHandle {
    const [first = a, second = b] = [a, b].sort();
    const key = `${first} ${second}`;
    const line = this.#lines.get(key) ?? new PeerLineHandle([first, second]);
    this.#lines.set(key, line);
    return line;
  }

  get lines(): readonly PeerLineHandle[] {
    return [...this.#lines.values()];
  }

  async #connected(socket: Socket, from: string): Promise<void> {
    socket.unref();
    const ignore = () => undefined; // told by the end of the stream
    socket.on('error', ignore);
    const target = await readSocksRequest(socket).catch(ignore);
    const station = target?.port === PEER_PORT ? this.#stations.get(target.host) : undefined;
    if (!station || socket.destroyed) {
      socket.destroy();
      return;
    }
    this.between(from, station.name).connected(socket, from, station.peerPort);
  }
}

function proxied(url: string): Record<string, string> {
  // A program that has REQUEST_METHOD could be a CGI script, whose HTTP_PROXY could be a header of the request.
  return { HTTP_PROXY: url, NO_PROXY: '', no_proxy: '', REQUEST_METHOD: '' };
}
