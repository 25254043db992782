import type { WaitOptions } from '@coord/client';
import { type IssueList, readInput } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigStore } from './config-store.js';
import { type JsonSchema, jsonSchemaOf } from './json-schema.js';
import { parseRecord } from './meta.js';
import type { Operations } from './operations.js';
import { NAMES } from './option-names.js';

/** JSON Schemas stored beside keys: what is written there must fit, whoever writes through Coord. */
export class Schemas {
  readonly #store: ConfigStore;
  readonly #operations: Operations;

  constructor(store: ConfigStore, operations: Operations) {
    this.#store = store;
    this.#operations = operations;
  }

  async set(key: string, schema: JsonSchema | StandardSchemaV1, options?: WaitOptions): Promise<void> {
    let text = '';
    const check = (issues: IssueList) => {
      text = readInput('schema', () => jsonSchemaOf(issues, schema));
    };
    return this.#operations.onKey('setSchema', key, given(options), check, async (name, { signal }) => {
      const { client, layout } = this.#store;
      await client.kv.put(layout.schema(name), text, { signal, idempotent: true });
    });
  }

  async get(key: string, options?: WaitOptions): Promise<JsonSchema | undefined> {
    return this.#operations.onKey('getSchema', key, given(options), noCheck, async (name, { signal }) => {
      const { client, layout } = this.#store;
      const kv = await client.kv.get(layout.schema(name), { signal });
      return kv && (parseRecord(kv.text()) as JsonSchema | undefined);
    });
  }

  async delete(key: string, options?: WaitOptions): Promise<boolean> {
    return this.#operations.onKey('deleteSchema', key, given(options), noCheck, async (name, { signal }) => {
      const { client, layout } = this.#store;
      return (await client.kv.delete(layout.schema(name), { signal })).deleted > 0;
    });
  }
}

const given = (options: WaitOptions | undefined) => ({ options, names: NAMES.wait });

function noCheck(): void {}
