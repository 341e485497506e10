/**
 * What KMS needs from outside. `server/` fills it in.
 */
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Journal } from '../store/journal.ts';
import type { Keys } from '../store/keys.ts';
import type { Sha256 } from '../tlog/hash.ts';

export interface KmsDeps {
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'append'>;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly chance: Pick<Chance, 'bytes' | 'uuid'>;
  readonly sha256: Sha256;
}
