/**
 * What history counts: each event once, as delivered (it is in the index) or filtered (its id is another event's).
 */
import { accountHourKey, hourOf } from '../store/account-hour.ts';
import type { HourCount } from '../store/follower.ts';
import type { JournalEntry } from '../store/journal.ts';

/**
 * The counts of some entries, one for each account and hour of receipt. Facts are no events and count nowhere.
 * @param before Counts of other entries, to which these are added.
 */
export function countEntries(entries: readonly JournalEntry[], before: readonly HourCount[] = []): readonly HourCount[] {
  const counts = new Map(before.map((count) => [accountHourKey(count), { ...count }]));
  for (const entry of entries) {
    if (entry.kind !== 'event') continue;
    const hour = hourOf(entry.receivedAtMs);
    const key = accountHourKey({ account: entry.account, hour });
    let count = counts.get(key);
    if (count === undefined) {
      count = { account: entry.account, hour, delivered: 0, filtered: 0 };
      counts.set(key, count);
    }
    if (entry.isConflicting) count.filtered += 1;
    else count.delivered += 1;
  }
  return [...counts.values()];
}
