/**
 * Whether an installation kept its promises, after everything was delivered: the oracle of reliability.md §3.
 *
 * Reads the journal, the buckets, and what the server answers; knows what clients sent and were told. Selection, leaf
 * hashes and log files are made here again from their specification, without the code that made them.
 */
import { createHash } from 'node:crypto';
import type { AccountId } from '../../src/event/types.ts';
import type { JournalEntry } from '../../src/store/journal.ts';
import { checkTrail } from '../support/check-trail.ts';
import type { Client } from './client.ts';
import type { Ledger } from './ledger.ts';
import { ADMINISTRATOR, type Life } from './life.ts';
import type { Program } from './program.ts';
import { REGIONS } from './records.ts';
import { type Chosen, SELECTIONS } from './selection.ts';
import type { LoggingWindow, TrailModel } from './trail-model.ts';
import { faultsOf, verifyBucket } from './verify-bucket.ts';

/** How much was looked at, so that a run that did nothing does not pass for a good one. */
export interface Findings {
  /** One sentence for each broken promise. */
  readonly faults: readonly string[];
  readonly entries: number;
  readonly acknowledged: number;
  readonly delivered: number;
  /** Data events that were counted. */
  readonly aggregated: number;
  readonly digests: number;
  readonly checkpoints: number;
}

interface Evidence {
  readonly entries: readonly JournalEntry[];
  readonly events: readonly JournalEntry[];
  /** Sequence of a change's fact, by request. */
  readonly changes: ReadonlyMap<string, bigint>;
}

/** What is looked at of a call's record. */
interface OwnCall {
  readonly requestID: string;
  readonly eventName: string;
  readonly errorCode?: string;
  readonly requestParameters: { readonly account?: AccountId } | null;
  readonly responseElements: { readonly accessKey?: { readonly accessKeyId: string } } | null;
}

export async function judge(program: Program, life: Life): Promise<Findings> {
  const faults: string[] = [];
  const { ledger, client, world } = program;
  const entries = await readAll(life);
  const evidence: Evidence = {
    entries,
    events: entries.filter(({ kind }) => kind === 'event'),
    changes: new Map(
      entries
        .filter(({ factKind }) => factKind === 'configuration')
        .map(({ id, sequence }): [string, bigint] => [id.slice('configuration/'.length), sequence]),
    ),
  };
  checkJournal(life, evidence, faults);
  checkLedger(ledger, evidence, faults);
  checkAccounts(program, life, evidence, faults);
  checkTree(program, evidence, faults);
  let delivered = 0;
  let digests = 0;
  let aggregated = 0;
  for (const trail of program.trails) {
    const found = await checkTrail({ objects: world.objects, keys: world.keys }, trail.bucket, {
      mayHaveUnlisted: trail.wasWithoutDigests,
    });
    faults.push(...found.faults.map((fault) => `${trail.name}: ${fault}`));
    delivered += checkDeliveries(trail, found.receipts, evidence, faults);
    aggregated += checkAggregation(trail, found.aggregated, evidence, faults);
    checkReceipts(trail, found.objects, evidence, faults);
    digests += found.digests.length;
  }
  // The last ones ask the server, and each call is an event itself.
  await checkHistory(client, life, evidence, faults);
  await checkBooks(client, life, ledger, faults);
  for (const trail of program.trails) {
    if (!client.has(trail.account) || trail.windows.length === 0) continue;
    const report = await verifyBucket(world, client, life, trail);
    // A trail that never wrote a digest cannot be shown to be whole.
    const isExcused =
      trail.wasWithoutDigests &&
      report?.findings.every(({ level, code }) => level !== 'tampered' && (level !== 'incomplete' || code === 'no-digests'));
    if (report?.exitCode !== 0 && !isExcused)
      faults.push(`${trail.bucket} is not verified: ${report === undefined ? 'no answer' : faultsOf(report)}`);
  }
  return {
    faults,
    entries: entries.length,
    acknowledged: ledger.acknowledgements().length,
    delivered,
    aggregated,
    digests,
    checkpoints: world.checkpoints.length,
  };
}

async function readAll({ journal }: Life): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (;;) {
    const batch = await journal.read(BigInt(entries.length), 1_000);
    if (batch.length === 0) return entries;
    entries.push(...batch);
  }
}

/** (3) nothing is there twice, (5) sequences are dense and everything can be read. */
function checkJournal({ journal }: Life, { entries }: Evidence, faults: string[]): void {
  for (const { from, to, reason } of journal.damage()) faults.push(`entries ${from} to ${to} are damaged: ${reason}`);
  const ids = new Map<string, JournalEntry[]>();
  entries.forEach((entry, index) => {
    if (entry.sequence !== BigInt(index + 1)) faults.push(`entry ${entry.sequence} stands at place ${index + 1}`);
    const name = `${entry.kind}/${entry.account}/${entry.id}`;
    const before = ids.get(name) ?? [];
    ids.set(name, [...before, entry]);
    if (before.some(({ bytes }) => Buffer.compare(bytes, entry.bytes) === 0)) faults.push(`${name} is in the journal twice`);
    if (before.length > 0 !== entry.isConflicting)
      faults.push(`${name} at ${entry.sequence} is ${entry.isConflicting ? '' : 'not '}marked`);
  });
}

/** (1) what was acknowledged is there, (2) what is there was sent. */
function checkLedger(ledger: Ledger, { entries, events }: Evidence, faults: string[]): void {
  for (const { account, eventId, sequence, text } of ledger.acknowledgements()) {
    const entry = entries[Number(sequence) - 1];
    const isThere = entry?.kind === 'event' && entry.account === account && entry.id === eventId && textOf(entry) === text;
    if (!isThere) faults.push(`event ${eventId} of ${account} was acknowledged at ${sequence} and is not there`);
  }
  const recorded = new Map<string, number>();
  for (const entry of events) {
    if (entry.source !== 'own-call') {
      if (!ledger.wasSent(entry.account, textOf(entry))) faults.push(`entry ${entry.sequence} was never sent`);
      continue;
    }
    const { requestID, eventName, errorCode, requestParameters } = JSON.parse(textOf(entry)) as OwnCall;
    const submission = ledger.creating.get(requestID);
    if (submission !== undefined) {
      const isFor = eventName === 'CreateAccount' && submission.accounts.has(requestParameters!.account!);
      if (!isFor || submission.caller !== entry.account) faults.push(`entry ${entry.sequence} tells of an account that nobody made`);
      continue;
    }
    const call = ledger.calls.get(requestID);
    if (call === undefined || call.name !== eventName || call.account !== entry.account)
      faults.push(`entry ${entry.sequence} tells of a call that nobody made`);
    if (errorCode === undefined) recorded.set(requestID, (recorded.get(requestID) ?? 0) + 1);
  }
  for (const { requestId, name, outcome, isUnrecorded } of ledger.calls.values()) {
    const times = recorded.get(requestId) ?? 0;
    if (times > 1) faults.push(`${name} ${requestId} was recorded ${times} times`);
    if (outcome === 'succeeded' && times === 0 && !isUnrecorded) faults.push(`${name} ${requestId} succeeded and was not recorded`);
  }
}

/** An account exists, with the key that was kept for it, because a call says so that was recorded before all that happened in it. */
function checkAccounts({ world }: Program, { server }: Life, { entries }: Evidence, faults: string[]): void {
  for (const { account } of server.accounts.list()) {
    if (account === ADMINISTRATOR) continue;
    // The fact of a making that a crash cut is no event of the account.
    const before = entries.slice(0, entries.findIndex((entry) => entry.kind === 'event' && entry.account === account) >>> 0);
    const isRecorded = before.some((entry) => {
      if (entry.source !== 'own-call') return false;
      const { eventName, errorCode, responseElements } = JSON.parse(textOf(entry)) as OwnCall;
      if (eventName !== 'CreateAccount' || errorCode !== undefined) return false;
      return responseElements!.accessKey!.accessKeyId === world.keptKeys.get(account);
    });
    if (!isRecorded) faults.push(`account ${account} was made, and no call before its first event says so`);
  }
}

/** (4) the log files hold what the trail selects of the evidence, in its order and byte for byte, each event once. */
// biome-ignore lint/suspicious/noExplicitAny: receipts as their JSON says, see check-trail.ts.
function checkDeliveries(trail: TrailModel, receipts: readonly any[], evidence: Evidence, faults: string[]): number {
  const expected = new Map<bigint, JournalEntry>();
  for (const window of trail.windows) {
    const from = evidence.changes.get(window.from);
    const to = window.to === undefined ? undefined : evidence.changes.get(window.to);
    if (from === undefined || to === undefined) {
      faults.push(`${trail.name}: a change has no fact (${window.from} to ${window.to})`);
      continue;
    }
    for (const entry of evidence.events)
      if (entry.sequence > from && entry.sequence <= to && isSelected(trail, window, entry)) expected.set(entry.sequence, entry);
  }
  const count = expected.size;
  for (const receipt of receipts.filter(({ kind }) => kind === 'delivery')) {
    for (const object of receipt.objects) {
      const isIn = (entry: JournalEntry) =>
        entry.account === object.account &&
        entry.region === object.region &&
        entry.sequence >= BigInt(object.firstSequence) &&
        entry.sequence <= BigInt(object.lastSequence);
      const taken = [...expected.values()].filter(isIn);
      const content = `{"Records":[${taken.map(textOf).join(',')}]}`;
      const isRight = taken.length === object.events && sha256(Buffer.from(content)).toString('hex') === object.contentSha256;
      if (!isRight)
        faults.push(`${trail.name}: ${object.key} is not what is selected of ${object.firstSequence} to ${object.lastSequence}`);
      for (const { sequence } of taken) expected.delete(sequence);
    }
  }
  for (const { sequence, id } of expected.values()) faults.push(`${trail.name}: event ${id} at ${sequence} was not delivered`);
  const last = receipts.at(-1)?.kind;
  if (last !== undefined && last !== 'stop') faults.push(`${trail.name}: the last receipt is of the kind ${last}`);
  return count;
}

/** Each data event is counted once, in the window of its time, while its trail aggregates; in however many records. */
// biome-ignore lint/suspicious/noExplicitAny: aggregated events as their JSON says, see check-trail.ts.
function checkAggregation(trail: TrailModel, records: readonly any[], { changes, events }: Evidence, faults: string[]): number {
  const due = new Map<string, number>();
  const add = (key: string, count: number) => due.set(key, (due.get(key) ?? 0) + count);
  let counted = 0;
  for (const window of trail.windows) {
    const [from, to] = [changes.get(window.from), window.to === undefined ? undefined : changes.get(window.to)];
    if (!window.aggregates || from === undefined || to === undefined) continue;
    for (const entry of events) {
      if (entry.sequence <= from || entry.sequence > to || !isSelected(trail, window, entry)) continue;
      const { eventCategory, eventTime, eventSource, eventName } = JSON.parse(textOf(entry)) as Record<string, string>;
      if (eventCategory !== 'Data') continue;
      const timeMs = Date.parse(eventTime!);
      const atMs = timeMs > entry.receivedAtMs + 900_000 ? entry.receivedAtMs : timeMs;
      const start = new Date(Math.floor(atMs / 300_000) * 300_000).toISOString().replace('.000', '');
      add([entry.account, entry.region, start, eventSource, eventName].join(' '), 1);
      counted++;
    }
  }
  for (const { accountId, awsRegion, timeWindow, eventSource, summary } of records)
    for (const { name, value } of summary.primaryDimension.statistics)
      add([accountId, awsRegion, timeWindow.windowStart, eventSource, name].join(' '), -value);
  for (const [key, count] of due)
    if (count !== 0) faults.push(`${trail.name}: ${Math.abs(count)} events too ${count > 0 ? 'few' : 'many'} are counted: ${key}`);
  return counted;
}

/** Every receipt is a fact of the journal, hence a leaf of the tree, and lies in the bucket: the same bytes in both places. */
function checkReceipts(trail: TrailModel, objects: ReadonlyMap<string, string>, { entries }: Evidence, faults: string[]): void {
  const arn = `arn:aws:cloudtrail:${trail.region}:${trail.account}:trail/${trail.name}`;
  const facts = new Map(
    entries
      .filter(({ kind, id }) => kind === 'fact' && id.startsWith('receipt/') && id.endsWith(`/${arn}`))
      .map(({ id, bytes }): [string, string] => [id.split('/')[1]!.padStart(12, '0'), sha256(bytes).toString('hex')]),
  );
  const receipts = [...objects].filter(([key]) => key.includes('/receipts/'));
  for (const [key, hash] of receipts)
    if (facts.get(key.slice(-'000000000000.note'.length, -'.note'.length)) !== hash)
      faults.push(`${trail.name}: ${key} is no fact of the journal`);
  if (facts.size !== receipts.length)
    faults.push(`${trail.name}: ${facts.size} receipts are in the journal, and ${receipts.length} in the bucket`);
}

/** Events of the trail's account that its selection takes, in its Region or in all; not imported, not a repeated id. */
function isSelected(trail: TrailModel, { isMultiRegion, selection }: LoggingWindow, entry: JournalEntry): boolean {
  if (entry.account !== trail.account || entry.source === 'import' || entry.isConflicting) return false;
  if (!isMultiRegion && entry.region !== trail.region) return false;
  return SELECTIONS[selection].takes(JSON.parse(textOf(entry)) as Chosen);
}

/** The tree is the journal, and so was every checkpoint that was ever signed: no fork (8). */
function checkTree({ world }: Program, { entries }: Evidence, faults: string[]): void {
  const roots = rootsOf(entries.map(leafOf));
  for (const { size, rootBase64 } of world.checkpoints) {
    if (roots[size]?.toString('base64') !== rootBase64)
      faults.push(`the checkpoint over ${size} of ${entries.length} entries is not of this journal`);
  }
  if (world.checkpoints.at(-1)?.size !== entries.length)
    faults.push(`the last checkpoint covers ${world.checkpoints.at(-1)?.size} of ${entries.length} entries`);
}

/** ARCHITECTURE.md, "Evidence beside the digests". */
function leafOf(entry: JournalEntry): Buffer {
  const kind = entry.kind === 'event' ? 'event' : `fact:${entry.factKind}`;
  const bytesHash = sha256(entry.nonce, entry.bytes).toString('hex');
  const text = `snowtrail-leaf/1\n${kind}\n${entry.sequence}\n${entry.receivedAtMs}\n${entry.account}\n${entry.id}\n${bytesHash}\n`;
  return sha256(Uint8Array.of(0), Buffer.from(text));
}

/** RFC 6962 tree heads of every size, by size. */
function rootsOf(leaves: readonly Buffer[]): readonly (Buffer | undefined)[] {
  const roots: (Buffer | undefined)[] = [undefined];
  /** Complete subtrees from left to right, each smaller than the one before. */
  const subtrees: { readonly leaves: number; readonly hash: Buffer }[] = [];
  for (const leaf of leaves) {
    let last = { leaves: 1, hash: leaf };
    while (subtrees.at(-1)?.leaves === last.leaves) {
      const left = subtrees.pop()!;
      last = { leaves: 2 * last.leaves, hash: sha256(Uint8Array.of(1), left.hash, last.hash) };
    }
    subtrees.push(last);
    roots.push(subtrees.map(({ hash }) => hash).reduceRight((right, left) => sha256(Uint8Array.of(1), left, right)));
  }
  return roots;
}

/** History shows each event of the journal once, to its account alone. */
async function checkHistory(client: Client, life: Life, { entries, events }: Evidence, faults: string[]): Promise<void> {
  const found = await allPages(client, life, ADMINISTRATOR, 'SearchEvents', { ToSequence: String(entries.length), MaxResults: 500 });
  const wanted = events.filter(({ isConflicting }) => !isConflicting);
  compare(
    'history',
    found.map((event) => `${event['Sequence']} ${event['Record']}`),
    wanted.map((entry) => `${entry.sequence} ${textOf(entry)}`),
    faults,
  );
  const ids = new Set(entries.map(({ id }) => id));
  const accounts = [...new Set(events.map(({ account }) => account))].filter((account) => client.has(account));
  for (const account of accounts) {
    for (const region of REGIONS) {
      const shown = await allPages(client, life, account, 'LookupEvents', {}, region);
      const own = wanted.filter((entry) => entry.account === account && entry.region === region && isManagement(entry));
      // The others came after the run.
      const ofRun = shown.filter((event) => ids.has(String(event['EventId']))).map((event) => String(event['CloudTrailEvent']));
      compare(`LookupEvents of ${account} in ${region}`, ofRun, own.map(textOf), faults);
    }
  }
}

async function allPages(
  client: Client,
  life: Life,
  account: AccountId,
  name: string,
  input: Record<string, string | number>,
  region?: (typeof REGIONS)[number],
): Promise<readonly Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  let token: string | undefined;
  do {
    const page = await client.call(life, account, name, { ...input, ...(token === undefined ? {} : { NextToken: token }) }, region);
    if (page.kind !== 'answer') throw new Error(`${name} is not answered: ${JSON.stringify(page)}`);
    events.push(...(page.output['Events'] as Record<string, unknown>[]));
    token = page.output['NextToken'] as string | undefined;
  } while (token !== undefined);
  return events;
}

/** (7) every event is accounted for: by account, hour and follower. */
async function checkBooks(client: Client, life: Life, ledger: Ledger, faults: string[]): Promise<void> {
  await life.pass(2 * 5_000);
  const books = await client.call(life, ADMINISTRATOR, 'GetAccounting', { MaxResults: 5_000 });
  if (books.kind !== 'answer') throw new Error(`GetAccounting is not answered: ${JSON.stringify(books)}`);
  const output = books.output as unknown as {
    readonly Received: readonly {
      Account: string;
      Hour: string;
      Received: number;
      Accepted: number;
      Repeated: number;
      Rejected: number;
      Unexplained: number;
    }[];
    readonly CountedTo: string;
    readonly Followers: readonly { Account: string; Hour: string; Follower: string; Pending: number; Unexplained: number }[];
    readonly Unexplained: number;
    readonly NextToken?: string;
  };
  // Rows beyond the first page are in `Unexplained`, too; what was received comes first.
  if (output.Followers.length === 0 && output.NextToken !== undefined) faults.push('what was received is more than one page of the books');
  if (output.Unexplained !== 0) faults.push(`${output.Unexplained} events are unexplained`);
  for (const { Account, Hour, Unexplained } of output.Received)
    if (Unexplained !== 0) faults.push(`${Unexplained} events that ${Account} was sent in ${Hour} are unexplained`);
  for (const { Account, Hour, Follower, Unexplained } of output.Followers)
    if (Unexplained !== 0) faults.push(`${Follower} does not explain ${Unexplained} events of ${Account} in ${Hour}`);
  const events = (await readAll(life)).filter(({ kind, sequence }) => kind === 'event' && sequence <= BigInt(output.CountedTo));
  const sum = (member: 'Received' | 'Accepted' | 'Repeated' | 'Rejected') => output.Received.reduce((total, row) => total + row[member], 0);
  if (sum('Accepted') !== events.length) faults.push(`${sum('Accepted')} events were counted as accepted, and ${events.length} are there`);
  if (sum('Received') !== sum('Accepted') + sum('Repeated') + sum('Rejected'))
    faults.push(`${sum('Received')} records were received, and ${JSON.stringify(output.Received)} became of them`);
  if (sum('Repeated') < ledger.repeated.acknowledged)
    faults.push(`${sum('Repeated')} repeats were counted of ${ledger.repeated.acknowledged}`);
  if (sum('Repeated') > ledger.repeated.sent)
    faults.push(`${sum('Repeated')} repeats were counted, and ${ledger.repeated.sent} records sent`);
  if (sum('Rejected') < ledger.rejected.acknowledged)
    faults.push(`${sum('Rejected')} refusals were counted of ${ledger.rejected.acknowledged}`);
  if (sum('Rejected') > ledger.rejected.sent)
    faults.push(`${sum('Rejected')} refusals were counted, and ${ledger.rejected.sent} records sent`);
}

function compare(what: string, found: readonly string[], wanted: readonly string[], faults: string[]): void {
  const [here, there] = [new Set(found), new Set(wanted)];
  if (here.size !== found.length) faults.push(`${what} shows ${found.length - here.size} events twice`);
  for (const text of there) if (!here.has(text)) faults.push(`${what} lacks ${text.slice(0, 300)}`);
  for (const text of here) if (!there.has(text)) faults.push(`${what} shows what is not there: ${text.slice(0, 300)}`);
}

function isManagement(entry: JournalEntry): boolean {
  return (JSON.parse(textOf(entry)) as { eventCategory: string }).eventCategory === 'Management';
}

function textOf({ bytes }: JournalEntry): string {
  return Buffer.from(bytes).toString('utf8');
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
