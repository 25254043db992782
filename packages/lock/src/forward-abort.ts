/** Aborts the controller when the signal does, for the same reason; returns the function that stops it. */
export function forwardAbort(signal: AbortSignal, controller: AbortController): () => void {
  const forward = () => controller.abort(signal.reason);
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  return () => signal.removeEventListener('abort', forward);
}
