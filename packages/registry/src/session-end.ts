import type { Session } from '@coord/client';
import { manyMayListen } from '@coord/client/internal';

const LISTENERS = new WeakMap<Session, Set<() => void>>();

/**
 * Calls back once when the session is lost or closed; returns the function that stops it. Thousands of registrations
 * may share a session, and each listener that an `AbortSignal` is given makes it look through all the others.
 */
export function onSessionEnd(session: Session, callback: () => void): () => void {
  const listeners = LISTENERS.get(session) ?? listenTo(session);
  const own = () => callback();
  listeners.add(own);
  return () => listeners.delete(own);
}

function listenTo(session: Session): Set<() => void> {
  const listeners = new Set<() => void>();
  LISTENERS.set(session, listeners);
  const end = () => {
    LISTENERS.delete(session);
    for (const listener of listeners) listener();
  };
  manyMayListen(session.signal);
  session.signal.addEventListener('abort', end, { once: true });
  return listeners;
}
