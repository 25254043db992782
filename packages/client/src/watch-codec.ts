import { decoder, NO_HEADER, readHeader, readKeyValue } from './decode-response.js';
import type { WireKeyValue } from './key-value.js';
import {
  EventType,
  type WatchCreateRequest,
  type WatchEventMessage,
  type WatchRequest,
  type WatchResponse,
} from './watch-messages.js';
import type { WireReader } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

export function encodeWatchRequest(request: WatchRequest): Buffer {
  const writer = new WireWriter();
  if ('create_request' in request) {
    writer.uint32(10).fork();
    writeCreate(writer, request.create_request);
  } else {
    writer.uint32(18).fork();
    writer.int64Field(8, request.cancel_request.watch_id);
  }
  writer.ldelim();
  return writer.message();
}

function writeCreate(writer: WireWriter, request: WatchCreateRequest): void {
  writer.bytesField(10, request.key);
  writer.bytesField(18, request.range_end);
  writer.int64Field(24, request.start_revision);
  writer.boolField(32, request.progress_notify);
  for (const filter of request.filters ?? []) writer.uint32(40).uint32(filter);
  writer.boolField(48, request.prev_kv);
  writer.boolField(64, request.fragment);
}

/** @throws {CoordError} for what is no such message */
export const decodeWatchResponse = decoder('WatchResponse', readWatchResponse);

function readWatchResponse(reader: WireReader, end: number): WatchResponse {
  let header = NO_HEADER;
  let watch_id = 0;
  let created = false;
  let canceled = false;
  let compact_revision = 0n;
  let cancel_reason = '';
  let fragment = false;
  const events: WatchEventMessage[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 90) events.push(reader.nested(readEvent));
    else if (tag === 10) header = reader.nested(readHeader);
    else if (tag === 16) watch_id = Number(reader.bigint());
    else if (tag === 24) created = reader.bool();
    else if (tag === 32) canceled = reader.bool();
    else if (tag === 40) compact_revision = reader.bigint();
    else if (tag === 50) cancel_reason = reader.view().toString('utf8');
    else if (tag === 56) fragment = reader.bool();
    else reader.skipType(tag & 7);
  }
  return { header, watch_id, created, canceled, compact_revision, cancel_reason, fragment, events };
}

function readEvent(reader: WireReader, end: number): WatchEventMessage {
  let type: WatchEventMessage['type'] = EventType.Put;
  let kv: WireKeyValue | undefined;
  let prev_kv: WireKeyValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 18) kv = reader.nested(readKeyValue);
    else if (tag === 26) prev_kv = reader.nested(readKeyValue);
    else if (tag === 8) type = reader.uint32() === EventType.Delete ? EventType.Delete : EventType.Put;
    else reader.skipType(tag & 7);
  }
  if (kv === undefined) throw new RangeError('an event has no key');
  return { type, kv, prev_kv };
}
