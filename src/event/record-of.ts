/**
 * The record of an event as JSON again, for code that shows it or searches in it.
 */
import type { Event, JsonObject } from './types.ts';

/** Parses the event's bytes. They were read within limits before, so this cannot fail; never write the result back as evidence. */
export function recordOf(event: Pick<Event, 'bytes'>): JsonObject {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(event.bytes)) as JsonObject;
}
