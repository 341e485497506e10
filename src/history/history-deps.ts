/**
 * What the operations of event history need; `server/` fills it in.
 */
import type { ParseTools } from '../event/parse-event.ts';
import type { AccountId } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { FoundEvents } from './found-events.ts';
import type { HistoryFollower } from './index-events.ts';

/** What `server/` gives. */
export interface HistoryStores {
  readonly index: Pick<HistoryIndex, 'query' | 'coveredTo' | 'scopes'>;
  readonly journal: Pick<Journal, 'damage' | 'fetch' | 'find' | 'read' | 'head' | 'waitBeyond'>;
  readonly follower: Pick<HistoryFollower, 'catchingUp' | 'passedOver'>;
  readonly tokens: PageTokens;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  readonly sha256: ParseTools['sha256'];
  /** The accounts that exist, for an administrator's look at single events. */
  readonly accounts: () => Iterable<AccountId>;
}

/** What the operations share. */
export interface HistoryDeps extends HistoryStores {
  readonly events: FoundEvents;
}
