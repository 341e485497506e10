/**
 * What `snowtrail verify` says of damage in the server's journal (F08, F09): evidence that was there and cannot be read.
 */
import type { Finding } from '../verify/report.ts';
import type { Client } from './client.ts';
import { CommandFailed, EXIT } from './exit.ts';

/** What it needs of `GetHealth`. */
interface Health {
  readonly Damage: readonly { readonly From: string; readonly To: string; readonly File: string; readonly Reason: string }[];
}

/** Asks the server; nothing is said to those who are not administrators, and so nothing found. @throws CommandFailed */
export async function findJournalDamage(client: Pick<Client, 'call'>): Promise<readonly Finding[]> {
  try {
    return damageFindings(await client.call<Health>('GetHealth'));
  } catch (error) {
    if (error instanceof CommandFailed && error.exitCode === EXIT.denied) return [];
    throw error;
  }
}

/** One finding for each damaged range, with the file in its message. */
export function damageFindings({ Damage }: Health): readonly Finding[] {
  return Damage.map(({ From, To, File, Reason }) => ({
    level: 'tampered',
    code: 'journal-damaged',
    message: `journal entries ${From} to ${To} cannot be read: ${File}: ${Reason}`,
  }));
}
