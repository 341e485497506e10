/**
 * How many requests to confirm may be mailed: nobody is to fill strangers' mailboxes in our name.
 *
 * Counted for each account that subscribes, by day, before a mail waits to be sent; an account's own count tells it nothing of others.
 */
import { createHash } from 'node:crypto';
import { ApiError } from '../api/api-error.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { CatalogChange, CatalogDocument, CatalogKey } from '../store/catalog.ts';
import type { SnsDeps } from './sns-deps.ts';

/** Most requests of an account in a day (UTC), in all and to one address. What is not confirmed is gone after three days. */
export const REQUESTS_MAX = 50;
export const REQUESTS_OF_ADDRESS_MAX = 5;
const DAY_MS = 24 * 3600 * 1000;

interface MailRequests {
  /** Days since 1970. */
  readonly day: number;
  /** By the hash of the address. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * The change that counts one more request, which is to be committed with it.
 * @throws ApiError Throttled
 */
export async function countRequest(
  { catalog }: Pick<SnsDeps, 'catalog'>,
  { owner, address, nowMs }: { readonly owner: AccountId; readonly address: string; readonly nowMs: EpochMs },
): Promise<CatalogChange> {
  const key: CatalogKey = ['sns-mail-requests', owner];
  const found: CatalogDocument<MailRequests> | undefined = await catalog.get<MailRequests>(key);
  const day = Math.floor(nowMs / DAY_MS);
  const counts = found?.value.day === day ? found.value.counts : {};
  // Servers differ on the case of what is before the `@`; most pass over it.
  const hash = createHash('sha256').update(address.toLowerCase()).digest('hex').slice(0, 32);
  const count = counts[hash] ?? 0;
  if (count >= REQUESTS_OF_ADDRESS_MAX) throw throttled(`${REQUESTS_OF_ADDRESS_MAX} requests to confirm were mailed to this address today`);
  if (Object.values(counts).reduce((sum, each) => sum + each, 0) >= REQUESTS_MAX)
    throw throttled(`${REQUESTS_MAX} requests to confirm were mailed for this account today`);
  return { key, value: { day, counts: { ...counts, [hash]: count + 1 } }, expected: found?.version ?? 0 };
}

function throttled(reason: string): ApiError {
  return new ApiError('Throttled', `${reason}, as many as may be: try again tomorrow`, { status: 429 });
}
