/**
 * The fact of a change of settings that decide what is delivered, kept, or who may read: before and after by hash.
 *
 * It goes into the journal before the change takes effect: a crash in between leaves a fact without effect, never an effect without
 * a fact. What the settings were stands in the record of the call; the hashes tie it to what was in force.
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import type { Journal } from './journal.ts';

/** Who changes it: a call; or `anonymous`, by a link that was sent. */
export interface Changer {
  readonly principal: { readonly arn: string };
  readonly requestId: string;
  readonly receivedAtMs: EpochMs;
}

export interface ConfigurationChange {
  readonly call: Changer;
  /** Name of the call. */
  readonly event: string;
  /** ARN of what is changed; account and Region are its own, whoever calls. */
  readonly resource: string;
  readonly account: AccountId;
  readonly region: Region;
  /** The settings; absent before there were any, and after they are gone. */
  readonly before?: object | undefined;
  readonly after?: object | undefined;
  /** What is taken no more, one sentence each; absent or empty when nothing gets smaller. */
  readonly takesNoMore?: readonly string[] | undefined;
}

/** @returns the fact's sequence. */
export async function appendConfiguration(
  { journal, sha256 }: { readonly journal: Pick<Journal, 'append'>; readonly sha256: Sha256 },
  change: ConfigurationChange,
): Promise<bigint> {
  const { call, event, resource, account, region, takesNoMore = [] } = change;
  const hash = (value: object | undefined) => (value === undefined ? null : toHex(sha256(utf8(canonicalJson(value)))));
  const fact = {
    version: 1,
    resource,
    event,
    principal: call.principal.arn,
    requestId: call.requestId,
    beforeSha256: hash(change.before),
    afterSha256: hash(change.after),
    ...(takesNoMore.length === 0 ? {} : { takesNoMore }),
  };
  const [verdict] = await journal.append([
    {
      kind: 'fact',
      factKind: 'configuration',
      factId: `configuration/${call.requestId}`,
      account,
      region,
      receivedAtMs: call.receivedAtMs,
      bytes: utf8(`${JSON.stringify(fact)}\n`),
    },
  ]);
  return verdict!.sequence;
}

/** Members in the order of their names, so that equal settings have one hash. */
function canonicalJson(settings: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(settings).sort(([one], [other]) => (one < other ? -1 : 1))));
}
