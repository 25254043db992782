import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import winston from 'winston';
import { type ClientOptions, createCoordinator, type Logger } from '../src/index.js';

const KEY = 'tele\n\u001b[31mERROR forged';
const SHOWN = 'tele\\x0a\\x1b[31mERROR forged';

let etcd: EtcdServer;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

/** What a logger writes. */
class Sink extends Writable {
  #text = '';

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.#text += String(chunk);
    done();
  }

  get lines(): readonly string[] {
    return this.#text.split('\n').filter((line) => line !== '');
  }

  /** Of loggers that write JSON. */
  get records(): readonly Readonly<Record<string, unknown>>[] {
    return this.lines.map((line) => JSON.parse(line));
  }
}

/** The same with each logger: a lock under a hostile name, and a call that fails while etcd is silent. */
async function use(logger: Logger, logLevel: ClientOptions['logLevel']): Promise<void> {
  const options = { ...etcd.connectOptions, logLevel, requestTimeoutMs: 500 };
  const coordinator = await createCoordinator(options, { logger });
  try {
    const lock = await coordinator.lock.acquire(KEY);
    await lock[Symbol.asyncDispose](); // which does not throw, however busy the machine
    await etcd.pause();
    await coordinator.config.get('tele').catch(() => undefined);
  } finally {
    await etcd.resume();
    await coordinator.close();
  }
}

const TROUBLE = expect.stringMatching(/^COORD_(TIMEOUT|CONNECTION)$/);
const acquired = {
  key: SHOWN,
  outcome: 'ok',
  durationMs: expect.any(Number),
  fencingToken: expect.any(String),
};
const failed = {
  key: 'tele',
  outcome: TROUBLE,
  durationMs: expect.any(Number),
  reason: expect.any(String),
};

describe('operations are logged by', () => {
  it('pino, children as well, with all fields', async () => {
    const sink = new Sink();
    await use(pino({ level: 'debug', base: null }, sink).child({ module: 'coord' }), 'debug');
    const common = { module: 'coord', time: expect.any(Number) };
    expect(sink.records).toContainEqual({ ...common, ...acquired, level: 20, msg: 'coord: lock acquire' });
    expect(sink.records).toContainEqual({ ...common, ...failed, level: 40, msg: 'coord: config get' });
  });

  it('winston, as JSON and as text', async () => {
    const [json, text] = [new Sink(), new Sink()];
    const { combine, printf } = winston.format;
    const raw = printf(({ level, message, key }) => `${level} ${String(message)} ${String(key)}`);
    const logger = winston.createLogger({
      level: 'debug',
      transports: [
        new winston.transports.Stream({ stream: json, format: winston.format.json() }),
        new winston.transports.Stream({ stream: text, format: combine(raw) }),
      ],
    });
    await use(logger, 'debug');
    expect(json.records).toContainEqual({ ...acquired, level: 'debug', message: 'coord: lock acquire' });
    expect(json.records).toContainEqual({ ...failed, level: 'warn', message: 'coord: config get' });
    expect(text.lines).toContain(`debug coord: lock acquire ${SHOWN}`);
  });

  it('the console', async () => {
    const [out, err] = [new Sink(), new Sink()];
    await use(new Console(out, err), 'debug');
    const text = out.lines.join('\n');
    expect(text).toContain('coord: lock acquire');
    expect(text).toContain(SHOWN.replaceAll('\\', '\\\\')); // the console quotes what is a field
    expect(err.lines.join('\n')).toMatch(
      /coord: config get \{\s+key: 'tele',\s+outcome: 'COORD_(TIMEOUT|CONNECTION)'/,
    );
  });

  it.each([
    ['info', [40]],
    ['warn', [40]],
    ['error', []],
  ] as const)(
    'level %s is enough for what it names, whatever the logger would write',
    async (level, levels) => {
      const sink = new Sink();
      await use(pino({ level: 'trace' }, sink), level);
      const operations = sink.records.filter((record) => 'outcome' in record);
      expect(operations.map((record) => record.level)).toEqual(levels);
      expect(sink.records.filter((record) => Number(record.level) < (level === 'info' ? 30 : 40))).toEqual(
        [],
      );
    },
  );
});

it('pino shows the errors of what goes on in the background, with their stack', async () => {
  const sink = new Sink();
  const logger = pino({ level: 'debug' }, sink);
  await using coordinator = await createCoordinator(etcd.connectOptions, { logger });
  coordinator.client.health.subscribe(() => {
    throw new RangeError('a listener of the app');
  });
  await coordinator.client.close();
  expect(sink.records).toContainEqual(
    expect.objectContaining({
      msg: 'coord: a health subscriber threw',
      err: expect.objectContaining({ type: 'RangeError', stack: expect.any(String) }),
    }),
  );
});
