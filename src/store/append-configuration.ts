/**
 * The fact of a change of settings that decide what is delivered, kept, or who may do what: before and after by hash.
 *
 * It goes into the journal before the change takes effect, with the record of the call or right after it: a crash in between leaves a
 * fact without effect, never an effect without a fact. What the settings were stands in the record of the call; the hashes tie it to
 * what was in force. Documented in docs/formats/configuration.md.
 */
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { EpochMs } from '../event/types.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import type { Journal, NewFact } from './journal.ts';

/** Who changes it: a call; or `anonymous`, by a link that was sent; or the server itself. */
export interface Changer {
  readonly principal: { readonly arn: string };
  readonly requestId: string;
  readonly receivedAtMs: EpochMs;
}

interface Cause {
  readonly call: Changer;
  /** Name of the call. */
  readonly event: string;
}

/**
 * Appends the facts of a call whose changes are known only when their turn comes, or whose place in the journal counts.
 * @param changes Of things that differ; at least one.
 * @returns the first one's sequence; the others follow it.
 */
export async function appendConfiguration(
  { journal, sha256 }: { readonly journal: Pick<Journal, 'append'>; readonly sha256: Sha256 },
  cause: Cause,
  ...changes: readonly ConfigurationChange[]
): Promise<bigint> {
  const id = `configuration/${cause.call.requestId}`;
  const factOf = (change: ConfigurationChange, index: number) =>
    configurationFact(sha256, { ...cause, ...change }, index === 0 ? id : `${id}/also/${index}`);
  const [verdict] = await journal.append(changes.map(factOf));
  return verdict!.sequence;
}

/**
 * The facts of all changes of one call, to be appended with its record.
 * @param cause `isRefused`: the record is of a refusal, maybe beside that of the call when it was decided.
 */
export function configurationFacts(
  sha256: Sha256,
  { call, event, isRefused = false }: Cause & { readonly isRefused?: boolean },
  changes: readonly ConfigurationChange[],
): readonly NewFact[] {
  const id = `configuration/${call.requestId}/${isRefused ? 'refused/' : ''}`;
  return changes.map((change, index) => configurationFact(sha256, { call, event, ...change }, `${id}${index + 1}`));
}

/** @param factId Of this change alone. */
function configurationFact(sha256: Sha256, change: Cause & ConfigurationChange, factId: string): NewFact {
  const { call, event, resource, part, account, region, takesNoMore = [] } = change;
  const hash = (value: object | undefined) => (value === undefined ? null : toHex(sha256(utf8(canonicalJson(value)))));
  const fact = {
    version: 1,
    resource,
    ...(part === undefined ? {} : { part }),
    event,
    principal: call.principal.arn,
    requestId: call.requestId,
    beforeSha256: hash(change.before),
    afterSha256: hash(change.after),
    ...(takesNoMore.length === 0 ? {} : { takesNoMore }),
  };
  const bytes = utf8(`${JSON.stringify(fact)}\n`);
  return { kind: 'fact', factKind: 'configuration', factId, account, region, receivedAtMs: call.receivedAtMs, bytes };
}

/** Members in the order of their names at every depth, so that equal settings have one hash (RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}
