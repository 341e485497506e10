/**
 * What KMS needs from outside. `server/` fills it in.
 */
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { AccountId, EventResource, JsonObject, Region } from '../event/types.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { ForeignKeys } from '../store/foreign-keys.ts';
import type { Journal } from '../store/journal.ts';
import type { KeyedLock } from '../store/keyed-lock.ts';
import type { Keys } from '../store/keys.ts';
import type { LockTime } from '../store/object-lock.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { Sha256 } from '../tlog/hash.ts';

/** What KMS does to a key of its own accord, for the record of the key's owner. */
export interface KeyEvent {
  readonly account: AccountId;
  readonly region: Region;
  readonly eventName: string;
  readonly responseElements?: JsonObject;
  readonly details?: JsonObject;
  readonly changes?: readonly ConfigurationChange[];
  readonly resources: readonly (EventResource & { readonly account?: AccountId })[];
}

export interface KmsDeps {
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'append'>;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Says whether a deletion has come due: a clock that is set ahead deletes nothing. */
  readonly lockTime: Pick<LockTime, 'earliestMs'>;
  readonly chance: Pick<Chance, 'bytes' | 'uuid'>;
  /** Keys that objects of this server may be encrypted with and that are not here; absent when there are none. */
  readonly foreignKeys?: ForeignKeys | undefined;
  /** Returns once the event and the facts of its changes are durable. @throws JournalFull */
  readonly recordKeyEvent: (event: KeyEvent) => Promise<void>;
  readonly sha256: Sha256;
  /** A key is removed by one at a time. */
  readonly removals: KeyedLock;
  readonly tokens: PageTokens;
}
