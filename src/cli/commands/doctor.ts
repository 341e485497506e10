/**
 * `snowtrail doctor`: is everything well, and if not, what to do.
 *
 * Looks at the journal, its damage, the followers with their lag, and the books: every event that was accepted is delivered,
 * filtered or pending in each follower. Exit 1 when anything is wrong. Source: features.md RC1; DESIGN §1.
 */
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { CommandFailed, EXIT } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, say, writeOut } from '../output.ts';
import { safeText } from '../safe-text.ts';
import { type Column, formatFacts, formatTable } from '../table.ts';
import { addDoctorTrail } from './doctor-trail.ts';

interface DoctorOptions extends GlobalOptions {
  readonly quick?: boolean;
}

interface Health {
  readonly Journal: { readonly State: string; readonly Reason?: string; readonly Head: string; readonly Missing?: Missing };
  readonly Damage: readonly Damage[];
  readonly PassedOver: readonly (Damage & { readonly Follower: string })[];
  readonly HistoryDropped: readonly { readonly Run: string; readonly From: string; readonly To: string; readonly Reason: string }[];
  readonly Followers: readonly { readonly Name: string; readonly State: string; readonly Problem?: string; readonly Lag?: number }[];
  readonly Messages: readonly Messages[];
}

/** How messages to the topic of a trail, or to the subscribers of an account's topics, go. */
interface Messages {
  readonly Name: string;
  readonly Waiting: number;
  readonly Sent: number;
  readonly Failed: number;
  readonly GivenUp: number;
  readonly Problem?: string;
}

/** Entries that were acknowledged, and that the journal ends before. */
interface Missing {
  readonly From: string;
  readonly To: string;
  /** When the newest entry that is left was received. */
  readonly LeftTo?: string;
  /** When some of them were known to be there. */
  readonly ThereAt?: string;
}

/** Entries of the journal that cannot be read: where they are, and why. */
interface Damage {
  readonly From: string;
  readonly To: string;
  readonly File: string;
  readonly Reason: string;
}

interface Accounting {
  readonly Received: readonly {
    readonly Account: string;
    readonly Hour: string;
    readonly Received: number;
    /** Those of batches that were not counted to their end are in it, and in `Open`. */
    readonly Accepted: number;
    readonly Open: number;
    readonly Repeated: number;
    readonly Rejected: number;
    readonly Unexplained: number;
  }[];
  readonly Followers: readonly FollowerBook[];
  readonly Unexplained: number;
  /** Entries of the journal that are damaged, and so in no account's books. */
  readonly Unreadable: number;
}

/** Rows asked for at once. */
const BOOKS_PAGE = 5_000;

/** What is shown of a trail's evidence. */
interface TrailEvidence {
  readonly TrailARN: string;
  readonly S3BucketName: string;
  readonly DeliveredReceiptNumber: number;
  readonly Gone?: 'bucket' | 'newest-receipt';
  readonly ThereAt?: string;
  readonly LostObjectCount?: number;
  readonly LostObjects?: readonly {
    readonly S3BucketName: string;
    readonly Key: string;
    readonly Outcome: string;
    readonly FoundAt: string;
  }[];
}

interface FollowerBook {
  readonly Account: string;
  readonly Hour: string;
  readonly Follower: string;
  readonly Accepted: number;
  readonly Delivered: number;
  readonly Filtered: number;
  readonly Pending: number;
  readonly Unexplained: number;
}

/** One follower, with its books summed over accounts and hours where it keeps any. */
interface FollowerLine {
  readonly Name: string;
  readonly State: string;
  /** Journal entries that it has not taken yet; absent where the server gives none. */
  readonly Lag?: number;
  readonly Books?: Omit<FollowerBook, 'Account' | 'Hour' | 'Follower'>;
}

/** What is wrong, and what to do about it. */
interface Finding {
  readonly Problem: string;
  readonly Advice: string;
  /** Only the key is in the way. */
  readonly IsDenied?: true;
}

/** So long a lost object is news. */
const LOSS_NEWS_MS = 24 * 3_600_000;

const FOLLOWER_COLUMNS: readonly Column<FollowerLine>[] = [
  { heading: 'follower', cell: (line) => line.Name },
  { heading: 'state', cell: (line) => line.State },
  { heading: 'lag', cell: (line) => line.Lag, isRight: true },
  { heading: 'accepted', cell: (line) => line.Books?.Accepted, isRight: true },
  { heading: 'delivered', cell: (line) => line.Books?.Delivered, isRight: true },
  { heading: 'filtered', cell: (line) => line.Books?.Filtered, isRight: true },
  { heading: 'pending', cell: (line) => line.Books?.Pending, isRight: true },
  { heading: 'unexplained', cell: (line) => line.Books?.Unexplained, isRight: true },
];

const MESSAGE_COLUMNS: readonly Column<Messages>[] = [
  { heading: 'messages', cell: (line) => line.Name },
  { heading: 'waiting', cell: (line) => line.Waiting, isRight: true },
  { heading: 'sent', cell: (line) => line.Sent, isRight: true },
  { heading: 'failed', cell: (line) => line.Failed, isRight: true },
  { heading: 'given up', cell: (line) => line.GivenUp, isRight: true },
  { heading: 'problem', cell: (line) => line.Problem, widthMax: 40 },
];

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('say whether everything is well, and what to do where it is not')
    .option('--quick', 'only ask whether the server is ready');
  addExamples(command, ['doctor', 'doctor --quick', 'doctor -o json | jq .Findings']);
  addDoctorTrail(command);
  command.action(async (_: object, self: Command) => {
    const options = self.optsWithGlobals<DoctorOptions>();
    outputForm(options);
    const client = new Client(await findServer(options));
    if (options.quick) await askReady(client);
    else await examine(client, options);
  });
}

async function askReady(client: Client): Promise<void> {
  const { status, body } = await client.page('/readyz');
  if (status !== 200) process.exitCode = EXIT.failed;
  await writeOut(`${new TextDecoder().decode(body).split('\n').map(safeText).join('\n')}`);
}

async function examine(client: Client, options: GlobalOptions): Promise<void> {
  const [healthAnswer, booksAnswer, trailsAnswer] = await Promise.allSettled([
    client.call<Health>('GetHealth'),
    readBooks(client),
    client.call<{ readonly Trails: readonly TrailEvidence[] }>('GetTrailEvidence', { AllAccounts: true }),
  ]);
  // Refused, or no server is there: nothing to show.
  if (healthAnswer.status === 'rejected' && booksAnswer.status === 'rejected') throw healthAnswer.reason;
  const health = answered(healthAnswer);
  const books = answered(booksAnswer);
  const followers = (health?.Followers ?? namesOf(books)).map((follower) => followerLine(follower, books?.Followers ?? []));
  const sum = books && sumReceived(books);
  const trails = answered(trailsAnswer)?.Trails ?? [];
  const findings = [
    ...findUnanswered({ health: healthAnswer, books: booksAnswer, trails: trailsAnswer }),
    ...findProblems(health, books),
    ...findGone(trails),
    ...findLosses(trails, Date.now()),
  ];
  // Known before it is printed: a reader may leave early.
  if (findings.length > 0) process.exitCode = findings.every(({ IsDenied }) => IsDenied) ? EXIT.denied : EXIT.failed;
  if (outputForm(options) === 'table') {
    const facts = formatFacts([
      ['Server', client.access.url],
      ['Journal', health && `${health.Journal.State}, ${health.Journal.Head} entries`],
      ['Gone', health?.Journal.Missing && `entries ${health.Journal.Missing.From} to ${health.Journal.Missing.To}`],
      ['Damage', health && (health.Damage.length === 0 ? 'none' : `${health.Damage.length} ranges`)],
      ['Received', sum && `${sum.Received} = ${sum.Accepted} accepted + ${sum.Repeated} repeated + ${sum.Rejected} rejected`],
      ['Unexplained', books && String(books.Unexplained)],
      ['Unreadable', books && books.Unreadable > 0 ? `${books.Unreadable} entries, in no books below` : undefined],
    ]);
    const messages = health?.Messages ?? [];
    const lines = messages.length === 0 ? '' : `\n${formatTable(MESSAGE_COLUMNS, messages)}`;
    await writeOut(`${facts}\n${formatTable(FOLLOWER_COLUMNS, followers)}${lines}`);
  } else {
    await printFacts(options, [], {
      ...health,
      Followers: followers,
      Received: sum,
      Unexplained: books?.Unexplained,
      Unreadable: books?.Unreadable,
      Findings: findings,
    });
  }
  for (const { Problem, Advice } of findings) process.stderr.write(`snowtrail: ${safeText(Problem)}\n  ${Advice}\n`);
  if (findings.length === 0) say(options, 'everything is well');
}

/** All pages of the books. What is said of the whole is as of the last one. */
export async function readBooks(client: Pick<Client, 'call'>): Promise<Accounting> {
  const Received: Accounting['Received'][number][] = [];
  const Followers: FollowerBook[] = [];
  for (let token: string | undefined; ; ) {
    const input = { MaxResults: BOOKS_PAGE, ...(token !== undefined && { NextToken: token }) };
    const page = await client.call<Accounting & { readonly NextToken?: string }>('GetAccounting', input);
    Received.push(...page.Received);
    Followers.push(...page.Followers);
    if (page.NextToken === undefined) return { Received, Followers, Unexplained: page.Unexplained, Unreadable: page.Unreadable };
    token = page.NextToken;
  }
}

/** The followers that keep books of the account: all that is known of them to who may not see the health. */
function namesOf(books: Accounting | undefined): readonly { readonly Name: string; readonly State: string }[] {
  return [...new Set(books?.Followers.map(({ Follower }) => Follower))].map((Name) => ({ Name, State: '-' }));
}

function answered<Value>(answer: PromiseSettledResult<Value>): Value | undefined {
  return answer.status === 'fulfilled' ? answer.value : undefined;
}

/** What the server did not answer, and so was not looked at: a finding for each part. */
export function findUnanswered(
  answers: Readonly<Record<'health' | 'books' | 'trails', PromiseSettledResult<unknown>>>,
): readonly Finding[] {
  return Object.entries(answers).flatMap(([part, answer]) =>
    answer.status === 'fulfilled'
      ? []
      : [
          isDenied(answer.reason)
            ? {
                Problem: `the ${part} may not be looked at with this key: ${answer.reason.message}`,
                Advice: 'what is shown holds for this account alone; run it again with a key of the first account',
                IsDenied: true,
              }
            : {
                Problem: `the ${part} could not be looked at: ${answer.reason instanceof Error ? answer.reason.message : answer.reason}`,
                Advice: 'read the log of the server for the reason: where a disk cannot be read, see to the disk; then look again',
              },
        ],
  );
}

function isDenied(reason: unknown): reason is CommandFailed {
  return reason instanceof CommandFailed && reason.exitCode === EXIT.denied;
}

function followerLine({ Name, State, Lag }: FollowerLine, books: readonly FollowerBook[]): FollowerLine {
  const own = books.filter(({ Follower }) => Follower === Name);
  const total = (member: 'Accepted' | 'Delivered' | 'Filtered' | 'Pending' | 'Unexplained'): number =>
    own.reduce((sum, book) => sum + book[member], 0);
  const Books = {
    Accepted: total('Accepted'),
    Delivered: total('Delivered'),
    Filtered: total('Filtered'),
    Pending: total('Pending'),
    Unexplained: total('Unexplained'),
  };
  return { Name, State, ...(Lag !== undefined && { Lag }), ...(own.length > 0 && { Books }) };
}

function sumReceived({ Received }: Accounting): { Received: number; Accepted: number; Repeated: number; Rejected: number } {
  const total = (member: 'Received' | 'Accepted' | 'Repeated' | 'Rejected'): number => Received.reduce((sum, row) => sum + row[member], 0);
  return { Received: total('Received'), Accepted: total('Accepted'), Repeated: total('Repeated'), Rejected: total('Rejected') };
}

/** Everything that is wrong in what the server answered, the worst first. */
export function findProblems(health: Health | undefined, books: Accounting | undefined): readonly Finding[] {
  return [
    ...(health === undefined ? [] : findInHealth(health)),
    ...(books === undefined ? [] : findInBooks(books, health?.Journal.Missing)),
  ];
}

/** Buckets of this server that are not there any more, or lack what was put in them last. */
export function findGone(
  trails: readonly Pick<TrailEvidence, 'TrailARN' | 'S3BucketName' | 'DeliveredReceiptNumber' | 'Gone' | 'ThereAt'>[],
): readonly Finding[] {
  return trails.flatMap(({ TrailARN, S3BucketName, DeliveredReceiptNumber, Gone, ThereAt }) => {
    if (Gone === undefined) return [];
    const what =
      Gone === 'bucket'
        ? `the bucket ${S3BucketName} of ${TrailARN} is gone, with receipts up to ${DeliveredReceiptNumber} and what they name`
        : `the bucket ${S3BucketName} lacks receipt ${DeliveredReceiptNumber} of ${TrailARN}, which was put there last, and perhaps more`;
    return [
      {
        Problem: `${what}; it was there at ${ThereAt}`,
        Advice:
          'stop the server, put the folder `objects` of the data directory back from a backup, and start it again. Without a backup: ' +
          `${Gone === 'bucket' ? 'make the bucket and its policy anew and start again; ' : ''}log files and receipts of the last day are put again, ` +
          '`snowtrail verify` names what is not; the events themselves are in the journal',
      },
    ];
  });
}

/** Objects that were found gone from their buckets in the last day: `snowtrail verify` names the older ones. */
export function findLosses(
  trails: readonly Pick<TrailEvidence, 'TrailARN' | 'LostObjectCount' | 'LostObjects'>[],
  nowMs: number,
): readonly Finding[] {
  return trails.flatMap(({ TrailARN, LostObjects = [], LostObjectCount }) => {
    const recent = LostObjects.filter(({ FoundAt }) => Date.parse(FoundAt) > nowMs - LOSS_NEWS_MS);
    const last = recent.at(-1);
    if (last === undefined) return [];
    const again = recent.filter(({ Outcome }) => Outcome === 'put-again').length;
    // Only the newest are listed.
    const mayBeMore = recent.length === LostObjects.length && LostObjectCount !== undefined && LostObjectCount > recent.length;
    const number = mayBeMore ? `${recent.length} or more` : `${recent.length}`;
    return [
      {
        Problem: `${number} objects of ${TrailARN} were found gone or changed in the last day, ${again} of those listed are put again as soon as the bucket takes them; the last: ${last.S3BucketName}/${last.Key} at ${last.FoundAt}`,
        Advice: 'find out who or what took them out of the bucket; run `snowtrail verify` to name them',
      },
    ];
  });
}

function findInHealth(health: Health): readonly Finding[] {
  const { Journal, Damage, PassedOver, HistoryDropped, Followers, Messages } = health;
  const findings: Finding[] = [];
  const { Missing } = Journal;
  if (Missing !== undefined) findings.push(missingFinding(Missing, Journal.Head));
  else if (Journal.State !== 'ok') {
    findings.push({
      Problem: `the journal takes no events (${Journal.State}): ${Journal.Reason ?? 'no reason given'}`,
      Advice:
        Journal.State === 'read-only'
          ? 'stop the server, put back the newest copy of the whole data directory, and start it again; what is there is only read meanwhile'
          : 'free space or repair the disk, then start the server again; callers keep what was refused and may send it again',
    });
  }
  for (const { From, To, File, Reason } of Damage) {
    findings.push({
      Problem: `journal entries ${From} to ${To} cannot be read: ${File}: ${Reason}`,
      Advice: 'keep a copy of the data directory; put the segment back from a backup, then start the server again',
    });
  }
  for (const { Follower, From, To, File, Reason } of PassedOver) {
    findings.push({
      Problem: `follower ${Follower} went on without journal entries ${From} to ${To}, which were damaged: ${File}: ${Reason}`,
      Advice: 'answers that may lack them say so; once the segment is back from a backup, the next start takes them in',
    });
  }
  for (const { Run, From, To, Reason } of HistoryDropped) {
    findings.push({
      Problem: `part ${Run} of the history index (entries ${From} to ${To}) was damaged and dropped: ${Reason}`,
      Advice: 'it is made again from the journal; see to the disk, then start the server again to clear this',
    });
  }
  for (const { Name, State, Problem } of Followers) {
    if (State === 'running') continue;
    findings.push({
      Problem: `follower ${Name} ${State === 'stopped' ? 'has stopped' : 'cannot go on for now'}: ${Problem ?? 'no reason given'}`,
      Advice:
        State === 'stopped'
          ? Missing === undefined
            ? 'it does not go on by itself, and has skipped nothing; read the log of the server, then start it again'
            : `it goes on once the journal has entries ${Missing.From} to ${Missing.To} again`
          : 'it tries again by itself and catches up in order; see to what it could not reach',
    });
  }
  for (const { Name, Waiting, GivenUp, Problem } of Messages) {
    if (Problem === undefined || !Name.startsWith('notices/')) continue;
    findings.push({
      Problem: `${Name} do not reach their topic: ${Problem}; ${Waiting} wait, ${GivenUp} were given up`,
      Advice: 'log files are delivered all the same; `snowtrail doctor trail NAME` says what the topic lacks. A notice waits for a day',
    });
  }
  return findings;
}

/** The journal ends too early: whatever else is wrong comes from that. */
function missingFinding({ From, To, LeftTo, ThereAt }: Missing, head: string): Finding {
  const left = head === '0' ? 'none is left' : `those that are left end with entry ${head}${LeftTo === undefined ? '' : `, of ${LeftTo}`}`;
  return {
    Problem:
      `journal entries ${From} to ${To} are gone: they had been acknowledged${ThereAt === undefined ? '' : `, and were there at ${ThereAt}`}; ` +
      `${left}. The journal or a part of it was lost, or an older copy put in its place; nothing is taken, signed or delivered now`,
    Advice:
      'stop the server, put back the newest copy of the whole data directory, or of its folder `journal`, and start it again. ' +
      'Without one: keep this data directory for an investigation, begin another one with `--data-dir`, and `snowtrail import` there ' +
      'what trails had delivered: their log files hold those events',
  };
}

function findInBooks(books: Accounting, missing: Missing | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { Account, Hour, Unexplained } of books.Received.filter((row) => row.Unexplained !== 0)) {
    findings.push({
      Problem: `${Unexplained} events that account ${Account} was sent in the hour from ${Hour} are unexplained: received is not accepted + repeated + rejected`,
      Advice:
        books.Unreadable > 0
          ? `some of the ${books.Unreadable} damaged entries may be of these submissions: see to the damage first, then look again`
          : 'keep a copy of the data directory and report it with the output of `snowtrail doctor -o json`',
    });
  }
  for (const book of books.Followers.filter(({ Unexplained }) => Unexplained !== 0)) {
    const mayBeDamaged = books.Unreadable > 0 && book.Unexplained < 0;
    const mayBeMissing = missing !== undefined && book.Unexplained < 0;
    findings.push({
      Problem: `${book.Unexplained} events of account ${book.Account}, received in the hour from ${book.Hour}, are unexplained in follower ${book.Follower}`,
      Advice: mayBeMissing
        ? `it counted them before entries ${missing.From} to ${missing.To} were gone from the journal: put that back first, then look again`
        : mayBeDamaged
          ? `it may have counted some of the ${books.Unreadable} entries before they were damaged: see to the damage first, then look again`
          : 'run `snowtrail verify` to name what is missing; keep a copy of the data directory and report it',
    });
  }
  // Several pages are of several moments: what went wrong in a row after its page was read is in the sum alone.
  if (findings.length === 0 && books.Unexplained !== 0) {
    findings.push({
      Problem: `${books.Unexplained} events are unexplained in books that changed while they were read`,
      Advice: 'run `snowtrail doctor` again, which names them if they are unexplained still',
    });
  }
  return findings;
}
