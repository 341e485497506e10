/**
 * Decides which journal entries a trail delivers.
 *
 * It takes those of its account, or of the accounts of its organization, in all Regions or in its home Region, that its selectors choose:
 * without selectors, all management events. Not taken: events that CloudTrail delivered once already (imports), an event id repeated with
 * other bytes, and everything of other accounts. Each of these counts as filtered.
 * Source: DESIGN §2; cloudtrail.md §2.3, §4, §7.9.
 */

import { type EventBrief, readBrief } from '../event/read-brief.ts';
import type { EventCategory, JsonObject } from '../event/types.ts';
import type { LogFolder } from '../logfile/log-file-key.ts';
import { compileSelectors } from '../selector/compile-selectors.ts';
import { SelectableRecord } from '../selector/selectable-record.ts';
import { eventOf } from '../store/event-of.ts';
import type { JournalEntry } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { type TrailScope, type TrailSelection, takesAccount } from './trail.ts';

/**
 * Services whose events belong to no Region and are recorded in us-east-1. STS is one at its global endpoint only, which
 * the record does not tell from the one in us-east-1: those events are kept.
 */
const GLOBAL_SERVICES: ReadonlySet<string> = new Set(['iam.amazonaws.com', 'cloudfront.amazonaws.com']);
const GLOBAL_REGION = 'us-east-1';

const utf8 = new TextDecoder();

/** What was read of an entry's event, when the trail takes it; `undefined` when it counts as filtered. */
export type SelectEvent = (entry: JournalEntry) => EventBrief | undefined;

/** Of the selections in use: each is compiled once, however many batches it decides on. */
const compiled = new WeakMap<TrailSelection, ReturnType<typeof compileSelectors>>();

function takesOf(selection: TrailSelection): ReturnType<typeof compileSelectors> {
  const takes = compiled.get(selection) ?? compileSelectors(selection);
  compiled.set(selection, takes);
  return takes;
}

/** By the scope's settings, which are made ready once for many entries. */
export function eventSelector(scope: TrailScope, sha256: Sha256): SelectEvent {
  const takes = takesOf(scope.selection);
  const keepsDeliveries = scope.selection.recursiveLogging ?? true;
  return (entry) => {
    if (entry.kind !== 'event' || entry.source === 'import' || entry.isConflicting || !takesAccount(scope, entry.account)) return undefined;
    if (!scope.isMultiRegionTrail && entry.region !== scope.homeRegion) return undefined;
    const event = entry.event ?? readBrief(entry.bytes) ?? eventOf(entry, { sha256 });
    const isGlobal = entry.region === GLOBAL_REGION && GLOBAL_SERVICES.has(event.eventSource) && event.category === 'Management';
    if (isGlobal && !scope.includeGlobalServiceEvents) return undefined;
    const record = new SelectableRecord(event, entry, () => JSON.parse(utf8.decode(entry.bytes)) as JsonObject);
    return takes(record) && (keepsDeliveries || !record.isDelivery()) ? event : undefined;
  };
}

/** Where the log files with events of a category lie (cloudtrail.md §2.1). */
export function folderOfCategory(category: EventCategory): LogFolder {
  return category === 'NetworkActivity' ? 'CloudTrail-NetworkActivity' : 'CloudTrail';
}
