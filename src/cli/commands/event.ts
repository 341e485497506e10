/**
 * `snowtrail event ID`: one event, as a sentence and all that is known beside its bytes; its bytes; or its proof.
 *
 * Source: features.md RC1; experience.md §3.2 "Event".
 */
import type { Command } from 'commander';
import type { EventView } from '../../api/event-view.ts';
import { Client } from '../client.ts';
import { EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, say, writeOut } from '../output.ts';
import { type InclusionCheck, proveInclusion } from '../prove-inclusion.ts';
import { safeJson, safeText } from '../safe-text.ts';
import type { Fact } from '../table.ts';

interface EventOptions extends GlobalOptions {
  readonly json?: boolean;
  readonly proof?: boolean;
  readonly publicKey?: string;
  readonly for?: string;
  readonly sequence?: boolean;
}

/** What `GetEvent` answers. */
export interface EventDetail extends EventView {
  readonly IsConflicting: boolean;
  readonly DefaultedMembers: readonly string[];
  readonly HasDuplicateKeys: boolean;
  readonly Sha256: string;
  readonly SubmittedBy?: {
    readonly Arn: string;
    readonly AccessKeyId: string;
    readonly SourceIpAddress: string;
    readonly RequestId: string;
    readonly Sequence: string;
  };
  readonly Changes?: readonly {
    readonly Sequence: string;
    readonly Resource: string;
    readonly Part?: string;
    readonly BeforeSha256: string | null;
    readonly AfterSha256: string | null;
  }[];
  readonly Nonce: string;
}

export function addEvent(program: Command): void {
  const command = program
    .command('event')
    .description('show one event: its sentence, facts, bytes and proof')
    .argument('<id>', 'event id')
    .option('--json', 'print the bytes exactly as they were received, nothing else')
    .option('--proof', 'prove that it is in the signed record, checked here')
    .option('--public-key <line>', 'with --proof: trust this checkpoint key instead of those the server lists')
    .option('--for <account>', 'account that holds it, where several hold the same id')
    .option('--sequence', 'the id is a sequence');
  addExamples(command, [
    'event 2f0e8a5c-6d2c-4d5f-9f2e-0a1b2c3d4e5f',
    'event 2f0e8a5c-6d2c-4d5f-9f2e-0a1b2c3d4e5f --json | jq .errorCode',
    'event 1042 --sequence --proof',
  ]);
  command.action(async (id: string, _: object, self: Command) => {
    await showEvent(self.optsWithGlobals<EventOptions>(), id);
  });
}

async function showEvent(options: EventOptions, id: string): Promise<void> {
  if (options.json && options.proof) throw new UsageError('--json prints the bytes alone; run it again with --proof for the proof');
  if (options.publicKey !== undefined && !options.proof) throw new UsageError('--public-key needs --proof');
  if (options.sequence && !/^[0-9]{1,15}$/.test(id))
    throw new UsageError(`\`${safeText(id)}\` is no sequence; expected a number such as 1042`);
  outputForm(options);
  const client = new Client(await findServer(options));
  const input = options.sequence ? { Sequence: id } : { EventId: id, ...(options.for !== undefined && { AccountId: options.for }) };
  const { Event: event } = await client.call<{ Event: EventDetail }>('GetEvent', input);
  if (options.json) {
    // A file or a program gets the very bytes; a terminal gets none that it would obey.
    await writeOut(process.stdout.isTTY ? `${safeJson(event.Record)}\n` : event.Record);
    return;
  }
  if (!options.proof) {
    if (outputForm(options) === 'table') await writeOut(`${safeText(event.Sentence)}\n\n`);
    await printFacts(options, factsOf(event), event);
    return;
  }
  const check = await proveInclusion(client, event, options.publicKey);
  // Before it is printed: a reader may leave early.
  if (!check.IsVerified) process.exitCode = EXIT.failed;
  if (outputForm(options) === 'table') await writeOut(`${safeText(event.Sentence)}\n\n`);
  await printFacts(options, factsOfProof(check), { EventId: event.EventId, Sha256: event.Sha256, ...check });
  if (check.IsVerified) {
    if (options.publicKey === undefined) {
      say(options, 'the keys are those that this server lists; pin one with --public-key, kept from an earlier `snowtrail evidence show`');
    }
    return;
  }
  say(
    {},
    `snowtrail: the proof does not hold: ${safeText(check.Problem ?? '')}; keep a copy of the data directory and run \`snowtrail verify\``,
  );
}

function factsOf(event: EventDetail): readonly Fact[] {
  return [
    ['Event id', event.EventId],
    ['Event', `${event.EventName} of ${event.EventSource} (${event.Category}${readWord(event.ReadOnly)})`],
    ['Event time', event.EventTime],
    ['Received', `${event.ReceivedAt}, ${SOURCES.get(event.Source) ?? event.Source}`],
    ['Sent by', event.SubmittedBy && submitterText(event.SubmittedBy)],
    ['Committed', `sequence ${event.Sequence} of the journal`],
    ['Account', event.AccountId],
    ['Region', event.Region],
    ['User', event.Username],
    ['Access key', event.AccessKeyId],
    ['Address', event.SourceIpAddress],
    ['Error', event.ErrorCode],
    ...event.Resources.map(
      ({ ResourceType, ResourceName }): Fact => [
        'Resource',
        ResourceType === undefined ? ResourceName : `${ResourceName} (${ResourceType})`,
      ],
    ),
    ...(event.Changes ?? []).map((change): Fact => ['Changed', changeText(change)]),
    ...remarksOf(event).map((remark): Fact => ['Remark', remark]),
    ['SHA-256', event.Sha256],
  ];
}

function changeText({ Resource, Part, BeforeSha256, AfterSha256, Sequence }: NonNullable<EventDetail['Changes']>[number]): string {
  const what = Part === undefined ? Resource : `${Part} of ${Resource}`;
  return `${what}: ${BeforeSha256 ?? 'nothing'} → ${AfterSha256 ?? 'nothing'} (entry ${Sequence})`;
}

function submitterText({ Arn, AccessKeyId, SourceIpAddress, Sequence }: NonNullable<EventDetail['SubmittedBy']>): string {
  return `${Arn} with key ${AccessKeyId} from ${SourceIpAddress} (entry ${Sequence} of the journal says so)`;
}

const SOURCES: ReadonlyMap<string, string> = new Map([
  ['record', 'submitted'],
  ['import', 'imported from a log file'],
  ['own-call', "this server's own call"],
]);

function readWord(isReadOnly: boolean | undefined): string {
  return isReadOnly === undefined ? '' : isReadOnly ? ', read' : ', write';
}

function remarksOf(event: EventDetail): readonly string[] {
  return [
    ...(event.IsLate ? ['late: it came in more than 15 minutes after its own time'] : []),
    ...(event.IsEventTimeSuspicious ? ['its own time cannot be right, so history sorts it by its receipt'] : []),
    ...(event.IsConflicting ? ['another event came first with the same id and other bytes; this one is in no trail'] : []),
    ...(event.HasDuplicateKeys ? ['an object in the record repeats a member name'] : []),
    ...event.DefaultedMembers.map((member) => `${member} was missing and has a default beside the bytes`),
  ];
}

function factsOfProof(check: InclusionCheck): readonly Fact[] {
  return [
    ['Verdict', check.IsVerified ? 'proved: these bytes are in the signed record' : `not proved: ${check.Problem}`],
    ['Leaf', `${check.LeafIndex} of ${check.TreeSize}`],
    ['Leaf hash', check.LeafHash],
    ['Root hash', check.RootHash],
    ['Signed by', check.SignedBy.join(', ') || undefined],
    ['Proof', `${check.Hashes.length} hashes`],
    ...check.Hashes.map((hash): Fact => ['', hash]),
    ['Checkpoint', check.Checkpoint.split('\n')[0]],
  ];
}
