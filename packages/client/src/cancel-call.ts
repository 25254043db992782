/** As late as a channel may find its configuration: name resolution comes before it. */
const AGAIN_MS = 2_000;

/**
 * Cancels a call or stream for certain.
 *
 * grpc-js 1.14 loses a cancel that comes before the call has its channel's configuration, usually a
 * tick after its start: the call then runs on unseen, a stream for as long as the connection lives.
 * So it is said again.
 */
export function cancelCall(call: { cancel(): void }): void {
  call.cancel();
  setImmediate(() => call.cancel());
  setTimeout(() => call.cancel(), AGAIN_MS).unref();
}
