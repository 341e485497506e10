/**
 * The facts of what a call to this server changed of the configuration (docs/formats/configuration.md), found by the call's id.
 *
 * Only the server's own records lead to them: whoever submits an event chooses its `requestID`.
 */
import type { JsonObject } from '../event/types.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';

/** As operations answer. */
export interface ChangeView {
  readonly Sequence: string;
  readonly Resource: string;
  readonly Part?: string;
  readonly BeforeSha256: string | null;
  readonly AfterSha256: string | null;
  /** The very bytes of the fact, and the nonce of its leaf (base64). */
  readonly Fact: string;
  readonly Nonce: string;
}

/** @param entry An event. @returns those facts in its own account that can be read, in the order of the journal. */
export async function findChanges(journal: Pick<Journal, 'find' | 'fetch'>, entry: JournalEntry): Promise<readonly ChangeView[]> {
  if (entry.source !== 'own-call') return [];
  const { requestID, eventID, errorCode } = JSON.parse(Buffer.from(entry.bytes).toString('utf8')) as JsonObject;
  const id = `configuration/${String(requestID ?? eventID)}`;
  const find = (factId: string) => journal.find(entry.account, factId);
  const found: (bigint | undefined)[] = errorCode === undefined ? [await find(id)] : [];
  for (const kind of errorCode === undefined ? ['', 'also/'] : ['refused/'])
    for (let number = 1; ; number++) {
      const sequence = await find(`${id}/${kind}${number}`);
      if (sequence === undefined) break;
      found.push(sequence);
    }
  const sequences = found.filter((sequence) => sequence !== undefined).sort((one, other) => (one < other ? -1 : 1));
  const facts: JournalEntry[] = [];
  for (const sequence of sequences)
    try {
      facts.push(...(await journal.fetch([sequence])));
    } catch (error) {
      // The event can be read; that a fact cannot is told by `snowtrail doctor`.
      if (!(error instanceof JournalDamaged)) throw error;
    }
  return facts.map(viewChange);
}

function viewChange({ sequence, bytes, nonce }: JournalEntry): ChangeView {
  const text = Buffer.from(bytes).toString('utf8');
  const { resource, part, beforeSha256, afterSha256 } = JSON.parse(text) as Record<string, string>;
  return {
    Sequence: `${sequence}`,
    Resource: resource!,
    ...(part === undefined ? {} : { Part: part }),
    BeforeSha256: beforeSha256 ?? null,
    AfterSha256: afterSha256 ?? null,
    Fact: text,
    Nonce: Buffer.from(nonce).toString('base64'),
  };
}
