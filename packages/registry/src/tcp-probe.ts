import { connect } from 'node:net';
import type { HostPort } from './address.js';

/** Resolves when a connection is accepted. */
export function probeTcp({ host, port }: HostPort, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    };
    const onAbort = () => {
      end();
      reject(signal.reason);
    };
    socket.once('connect', () => {
      end();
      resolve();
    });
    socket.once('error', (error) => {
      end();
      reject(error);
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
