/** A process of its own that lists a large range and nothing else, so that its memory can be measured. */
import { connect } from '../src/index.js';

export interface Listed {
  readonly keys: number;
  readonly bytes: number;
  readonly inOrder: boolean;
  /** The most that was in use at once beyond what there was before: heap and buffers, garbage included. */
  readonly peakBytes: number;
}

const [endpoint = '', prefix = ''] = process.argv.slice(2);
const used = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const client = await connect({ endpoints: [endpoint] });
globalThis.gc?.();
const before = used();
let [keys, bytes, peakBytes, inOrder, last] = [0, 0, 0, true, ''];
for await (const kv of client.kv.list({ prefix })) {
  inOrder &&= kv.key > last;
  last = kv.key;
  bytes += kv.value.length;
  if (++keys % 500 === 0) peakBytes = Math.max(peakBytes, used() - before);
}
const listed: Listed = { keys, bytes, inOrder, peakBytes };
process.send?.(listed);
await client.close();
