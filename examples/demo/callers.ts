import { setTimeout as sleep } from 'node:timers/promises';
import { type ServiceError, status } from '@grpc/grpc-js';
import { now } from './clock.js';
import type { GreeterClient } from './greeter.js';

const DEADLINE_MS = 2_000;
const PAUSE_MS = 2;

/** One call: who answered, or the gRPC code of its failure. */
export interface Call {
  readonly from: number;
  readonly to: number;
  readonly server?: string;
  readonly failure?: string;
}

/** Callers that call all the time, each one call after the other, until they are stopped. */
export class Callers {
  readonly calls: Call[] = [];
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(client: GreeterClient, count: number) {
    this.#running = Promise.all(Array.from({ length: count }, () => this.#callOn(client)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** The calls that ended after this moment: also those that were under way in it. */
  endedAfter(moment: number): Call[] {
    return this.calls.filter(({ to }) => to >= moment);
  }

  async #callOn(client: GreeterClient): Promise<void> {
    while (!this.#stopped) {
      this.calls.push(await call(client));
      await sleep(PAUSE_MS);
    }
  }
}

async function call(client: GreeterClient): Promise<Call> {
  const from = now();
  try {
    const { from: server } = await client.hello('demo', DEADLINE_MS);
    return { from, to: now(), server };
  } catch (error) {
    return { from, to: now(), failure: isServiceError(error) ? status[error.code] : String(error) };
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}

/** `UNAVAILABLE ×3`, or `none`. */
export function failuresOf(calls: readonly Call[]): string {
  const codes = new Map<string, number>();
  for (const { failure } of calls) {
    if (failure !== undefined) codes.set(failure, (codes.get(failure) ?? 0) + 1);
  }
  return [...codes].map(([code, times]) => `${code} ×${times}`).join(', ') || 'none';
}
