/**
 * Damage as people are told of it: a file that is lost as a whole is one range, not one for each of its thousand parts.
 */
import type { JournalDamage } from './journal.ts';

/**
 * Joins ranges that follow one another in one file. The reason is that of the first, with the number of parts.
 * @param damages In the order of the journal.
 */
export function joinDamage(damages: readonly JournalDamage[]): readonly JournalDamage[] {
  const joined: { first: JournalDamage; to: bigint; parts: number }[] = [];
  for (const damage of damages) {
    const last = joined.at(-1);
    if (last !== undefined && last.to + 1n === damage.from && last.first.file === damage.file) {
      last.to = damage.to;
      last.parts += 1;
    } else joined.push({ first: damage, to: damage.to, parts: 1 });
  }
  return joined.map(({ first: { from, file, reason }, to, parts }) => ({
    from,
    to,
    file,
    reason: parts === 1 ? reason : `${reason}, and ${parts - 1} more ${parts === 2 ? 'part' : 'parts'} of the file right after it`,
  }));
}
