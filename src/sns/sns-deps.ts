/**
 * What topics need from outside. `server/` fills it in.
 */
import type { Catalog } from '../store/catalog.ts';
import type { Journal } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';

export interface SnsDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  readonly journal: Pick<Journal, 'append'>;
  readonly sha256: Sha256;
}

/** Members of the input, as the query protocol has them: texts by name, such as `Attributes.entry.1.key`. Untrusted. */
export type SnsInput = Readonly<Record<string, string>>;
