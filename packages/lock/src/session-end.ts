import type { Session } from '@coord/client';

const listenersOf = new WeakMap<Session, Set<() => void>>();

/**
 * Calls back once when the session is lost or closed; returns the function that stops it. Each callback is a
 * function of its own.
 *
 * Thousands of locks share a session, and adding to or removing from an `AbortSignal` walks all its
 * listeners: so there is one listener a session, and a set.
 */
export function onSessionEnd(session: Session, callback: () => void): () => void {
  if (session.signal.aborted) {
    callback();
    return () => undefined;
  }
  const listeners = listenersOf.get(session) ?? listen(session);
  listeners.add(callback);
  return () => listeners.delete(callback);
}

function listen(session: Session): Set<() => void> {
  const listeners = new Set<() => void>();
  listenersOf.set(session, listeners);
  session.signal.addEventListener(
    'abort',
    () => {
      const present = [...listeners];
      listeners.clear();
      for (const listener of present) listener();
    },
    { once: true },
  );
  return listeners;
}
