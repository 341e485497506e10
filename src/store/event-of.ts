/**
 * The event of a journal entry, for those that follow the journal.
 */
import assert from 'node:assert/strict';
import { type ParseTools, readKnownEvent } from '../event/parse-event.ts';
import type { KnownEvent } from '../event/types.ts';
import type { JournalEntry } from './journal.ts';

/** The one in memory, else read again from the bytes. */
export function eventOf(entry: JournalEntry, tools: ParseTools): KnownEvent {
  if (entry.event !== undefined) return entry.event;
  const event = readKnownEvent(entry.bytes, { account: entry.account, region: entry.region, nowMs: entry.receivedAtMs }, tools);
  // INVARIANT: intake read the same bytes with the same code before the journal took them.
  assert(event !== undefined, `journal entry ${entry.sequence} is an event that can be read`);
  return event;
}
