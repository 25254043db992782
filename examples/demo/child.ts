import { once } from 'node:events';
import type { Assignment } from './messages.js';

/** A child's side of the line to its parent. */
export interface Parent<Order, Report> {
  readonly orders: AsyncIterator<Order, never>;
  tell(report: Report): void;
}

/**
 * Runs a child process of the demo. It ends by itself when `work` has resolved, and at once when its parent is
 * gone. A failure is one line on stderr and exit code 1.
 */
export async function runAsChild<Order, Report extends object>(
  work: (assignment: Assignment, parent: Parent<Order, Report>) => Promise<void>,
): Promise<void> {
  if (!process.connected) {
    console.error('This is a part of the demo. What to do: npm run demo');
    process.exitCode = 1;
    return;
  }
  const orphaned = () => process.exit(1);
  process.once('disconnect', orphaned);
  try {
    const assignment: Assignment = JSON.parse(process.argv[2] ?? '');
    await work(assignment, { orders: orders(), tell: (report) => process.send?.(report) });
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    process.exitCode = 1;
  } finally {
    process.off('disconnect', orphaned);
    if (process.connected) process.disconnect();
  }
}

/** Buffers from the first moment on, so that no order is missed. */
function orders<Order>(): AsyncIterator<Order, never> {
  const received: Order[] = [];
  process.on('message', (order: Order) => received.push(order));
  return {
    async next() {
      for (;;) {
        const value = received.shift();
        if (value !== undefined) return { value, done: false };
        await once(process, 'message');
      }
    },
  };
}
