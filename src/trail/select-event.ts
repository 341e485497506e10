/**
 * Decides which journal entries a trail delivers.
 *
 * A trail without selectors of its own takes the management events of its account, or of the accounts of its organization, in all Regions or in its home
 * Region. Not taken: events that CloudTrail delivered once already (imports), an event id repeated with other bytes, and
 * everything of other accounts. Each of these counts as filtered.
 * Source: DESIGN §2; cloudtrail.md §2.3, §4.2.
 */

import { type EventBrief, readBrief } from '../event/read-brief.ts';
import { eventOf } from '../store/event-of.ts';
import type { JournalEntry } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { type TrailScope, takesAccount } from './trail.ts';

/**
 * Services whose events belong to no Region and are recorded in us-east-1. STS is one at its global endpoint only, which
 * the record does not tell from the one in us-east-1: those events are kept.
 */
const GLOBAL_SERVICES: ReadonlySet<string> = new Set(['iam.amazonaws.com', 'cloudfront.amazonaws.com']);
const GLOBAL_REGION = 'us-east-1';

/** What was read of the event, when the trail takes it; `undefined` when it counts as filtered. */
export function selectEvent(scope: TrailScope, entry: JournalEntry, sha256: Sha256): EventBrief | undefined {
  if (entry.kind !== 'event' || entry.source === 'import' || entry.isConflicting || !takesAccount(scope, entry.account)) return undefined;
  if (!scope.isMultiRegionTrail && entry.region !== scope.homeRegion) return undefined;
  const event = entry.event ?? readBrief(entry.bytes) ?? eventOf(entry, { sha256 });
  if (event.category !== 'Management') return undefined;
  const isGlobal = entry.region === GLOBAL_REGION && GLOBAL_SERVICES.has(event.eventSource);
  return isGlobal && !scope.includeGlobalServiceEvents ? undefined : event;
}
