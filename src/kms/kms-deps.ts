/**
 * What KMS needs from outside. `server/` fills it in.
 */
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Journal } from '../store/journal.ts';
import type { Keys } from '../store/keys.ts';
import type { LockTime } from '../store/object-lock.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { Sha256 } from '../tlog/hash.ts';

export interface KmsDeps {
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'append'>;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Says whether a deletion has come due: a clock that is set ahead deletes nothing. */
  readonly lockTime: Pick<LockTime, 'earliestMs'>;
  readonly chance: Pick<Chance, 'bytes' | 'uuid'>;
  readonly sha256: Sha256;
  readonly tokens: PageTokens;
}
