/**
 * What topics need from outside. `server/` fills it in.
 */
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Journal } from '../store/journal.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { Sha256 } from '../tlog/hash.ts';
import type { Deliveries } from './deliveries.ts';

export interface SnsDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  readonly journal: Pick<Journal, 'append'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly chance: Pick<Chance, 'uuid'>;
  readonly sha256: Sha256;
  readonly tokens: PageTokens;
  /** Makes the tokens of messages. Secret. */
  readonly tokenKey: Uint8Array;
  readonly deliveries: Deliveries;
  /** Whether queues can be subscribed: an SQS is configured. */
  readonly hasQueues: boolean;
  /** Whether mailboxes can be subscribed: an SMTP server is configured. */
  readonly hasMailer: boolean;
}

/** Members of the input, as the query protocol has them: texts by name, such as `Attributes.entry.1.key`. Untrusted. */
export type SnsInput = Readonly<Record<string, string>>;
