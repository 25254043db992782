import type { WaitOptions } from '@coord/client';
import { type NamesOf, WAIT_NAMES } from '@coord/client/internal';
import type {
  AdoptConfigOptions,
  Annotations,
  DeleteConfigOptions,
  GetConfigOptions,
  HistoryOptions,
  ListConfigOptions,
  SetConfigOptions,
  WatchConfigOptions,
  WriteConfigOptions,
} from './config-center-types.js';
import type { Precondition } from './precondition.js';
import type {
  ListReleasesOptions,
  PublishDelete,
  PublishOptions,
  PublishPut,
  RevertOptions,
} from './release-types.js';

/** Who, why, and what else. */
const ANNOTATIONS = { author: true, comment: true, metadata: true } satisfies NamesOf<Annotations>;
const PRECONDITION = { version: true, revision: true } satisfies NamesOf<Precondition>;
const WRITE = {
  ...WAIT_NAMES,
  ...ANNOTATIONS,
  schema: true,
  encrypt: true,
  force: true,
} satisfies NamesOf<WriteConfigOptions>;
const RELEASE = {
  ...WAIT_NAMES,
  author: true,
  comment: true,
  force: true,
} satisfies NamesOf<PublishOptions>;

/** The options of each operation: a misspelt `version`, say, would make a compare-and-set a plain write. */
export const NAMES = {
  wait: WAIT_NAMES satisfies NamesOf<WaitOptions>,
  get: { ...WAIT_NAMES, schema: true, consistency: true } satisfies NamesOf<GetConfigOptions>,
  set: { ...WRITE, ...PRECONDITION, format: true } satisfies NamesOf<SetConfigOptions>,
  compareAndSet: WRITE,
  delete: {
    ...WAIT_NAMES,
    ...PRECONDITION,
    author: true,
    comment: true,
  } satisfies NamesOf<DeleteConfigOptions>,
  getHistory: { ...WAIT_NAMES, limit: true } satisfies NamesOf<HistoryOptions>,
  rollback: { ...WRITE, ...PRECONDITION },
  adopt: { ...WAIT_NAMES, ...ANNOTATIONS, revision: true } satisfies NamesOf<AdoptConfigOptions>,
  list: { ...WAIT_NAMES, limit: true, cursor: true } satisfies NamesOf<ListConfigOptions>,
  watch: { schema: true, initial: true, signal: true } satisfies NamesOf<WatchConfigOptions>,
  publish: RELEASE,
  revert: { ...RELEASE, schemas: true } satisfies NamesOf<RevertOptions>,
  listReleases: { ...WAIT_NAMES, limit: true } satisfies NamesOf<ListReleasesOptions>,
  put: {
    ...PRECONDITION,
    key: true,
    value: true,
    delete: true,
    schema: true,
    format: true,
    encrypt: true,
    metadata: true,
  } satisfies NamesOf<PublishPut>,
  /** That there must not be a value is told by itself. */
  deletion: { ...PRECONDITION, key: true, delete: true, value: true } satisfies NamesOf<
    PublishDelete & Pick<PublishPut, 'value'>
  >,
} as const;
