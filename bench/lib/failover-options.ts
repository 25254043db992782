import { parseArgs } from 'node:util';
import type { LoadBalanceStrategy } from '@coord/grpc-resolver';
import { EVENTS, type EventName } from './failover-events.js';

const STRATEGIES: readonly LoadBalanceStrategy[] = ['round_robin', 'random', 'weighted', 'least_conn', 'p2c'];

export interface FailoverOptions {
  /** How long calls are watched after each event. */
  readonly seconds: number;
  /** Calls a second of each load. */
  readonly rate: number;
  readonly events: readonly EventName[];
  readonly strategies: readonly LoadBalanceStrategy[];
  /** Time and timeout of the channels' keepalives; 0 = none, as grpc-js has it. */
  readonly keepAliveMs: number;
  /** After how long a call without an answer is made a second time, by a stored service config; 0 = never. */
  readonly hedgeMs: number;
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
}

const USAGE = `npm run bench -- failover [options]
  --seconds N       of calls after each event            (5)
  --rate N          calls a second of each load          (100)
  --only LIST       of ${Object.keys(EVENTS).join(', ')}  (all)
  --strategies LIST of ${STRATEGIES.join(', ')}  (round_robin,least_conn)
  --keepalive MS    of the channels; 0 = none            (1000)
  --hedge MS        second attempt after so long; 0 = no (0)
  --json FILE       write the figures there as well`;

/** The options of `npm run bench -- failover`; says how they go and ends the process when they are wrong. */
export function failoverOptions(): FailoverOptions {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '5' },
        rate: { type: 'string', default: '100' },
        only: { type: 'string', default: Object.keys(EVENTS).join(',') },
        strategies: { type: 'string', default: 'round_robin,least_conn' },
        keepalive: { type: 'string', default: '1000' },
        hedge: { type: 'string', default: '0' },
        json: { type: 'string' },
      },
    });
    return {
      seconds: number('seconds', values.seconds, 1),
      rate: number('rate', values.rate, 1),
      events: values.only.split(',').map(event),
      strategies: values.strategies.split(',').map(strategy),
      keepAliveMs: number('keepalive', values.keepalive, 0),
      hedgeMs: number('hedge', values.hedge, 0),
      json: values.json,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= least) return value;
  throw new Error(`--${name} must be a number of at least ${least}, got ${text}`);
}

function event(name: string): EventName {
  if (isEvent(name)) return name;
  throw new Error(`--only knows ${Object.keys(EVENTS).join(', ')}, not ${name}`);
}

function isEvent(name: string): name is EventName {
  return Object.hasOwn(EVENTS, name);
}

function strategy(name: string): LoadBalanceStrategy {
  const known = STRATEGIES.find((each) => each === name);
  if (known !== undefined) return known;
  throw new Error(`--strategies knows ${STRATEGIES.join(', ')}, not ${name}`);
}
