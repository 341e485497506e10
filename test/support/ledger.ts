/**
 * The oracle of the fault tests: clients that send events and remember what they sent and what was acknowledged, and a
 * check that holds the server against that memory.
 *
 * It lives in the test process, outside of every faulty disk and process. An answer counts line by line as it arrives, so
 * that a verdict is known even when the server dies in the middle of the answer. reliability.md §3, "Oracle".
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Client, type Verdict } from '../../src/cli/client.ts';
import { CommandFailed } from '../../src/cli/exit.ts';
import { findServer, type ServerAccess } from '../../src/cli/find-server.ts';
import { type ProvedEvent, proveInclusion } from '../../src/cli/prove-inclusion.ts';
import { searchPages } from '../../src/cli/search-pages.ts';
import { signRequest } from '../../src/http/sign-request.ts';
import { runCli } from './run-cli.ts';
import { randomFrom } from './simulated-files.ts';
import type { StartedServer } from './start-server.ts';
import { bucketPolicy } from './trail-rig.ts';

export const LEDGER_ACCOUNT = '123837392027';
const LEDGER_BUCKET = 'ledger-trail-bucket';
const REGION = 'us-east-1';
/** Flags of every server that a ledger is held against: short intervals, so that deliveries and digests happen under the faults. */
export const LEDGER_FLAGS = ['--account-id', LEDGER_ACCOUNT, '--flush-interval', '300ms', '--digest-interval', '5s'] as const;

/** How long a recovered server may take to deliver what it owes. */
const DELIVERY_MS = 60_000;
const POLL_MS = 100;
/** A request that hangs longer than this is given up by the client. */
const REQUEST_MS = 30_000;

/** What the clients know. */
export class Ledger {
  readonly sent = new Set<string>();
  /** Sequence of each acknowledged id. */
  readonly acknowledged = new Map<string, string>();
  /** Answers that contradict earlier ones; empty, or the server is wrong. */
  readonly contradictions: string[] = [];
  /** Answers of the whole that were refusals, by HTTP status. */
  readonly refusals = new Map<number, number>();
  /** How far the server's clock is ahead of ours: requests are signed for its time. */
  clockOffsetMs = 0;

  /** Notes an answer's line. `ids` are those of the batch, in its order. */
  note(ids: readonly string[], verdict: Verdict): void {
    if (verdict.status === 'unavailable') return;
    const id = ids[verdict.number - 1];
    if (id === undefined) return void this.contradictions.push(`a verdict on record ${verdict.number} of ${ids.length}`);
    if (verdict.status === 'rejected') return void this.contradictions.push(`${id} was rejected: ${verdict.reason}`);
    if (verdict.eventID !== id) this.contradictions.push(`${id} was answered as ${verdict.eventID}`);
    const before = this.acknowledged.get(id);
    if (before !== undefined && before !== verdict.sequence)
      this.contradictions.push(`${id} was ${before} and is ${verdict.sequence} (${verdict.status})`);
    if (before !== undefined && verdict.status === 'accepted') this.contradictions.push(`${id} was accepted twice`);
    this.acknowledged.set(id, verdict.sequence);
  }
}

/** New event ids. */
export function newIds(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID());
}

/** A record that is the same bytes whenever it is sent. */
function recordOf(id: string): string {
  return JSON.stringify({
    eventVersion: '1.10',
    userIdentity: { type: 'IAMUser', principalId: 'AIDALEDGER', accountId: LEDGER_ACCOUNT, userName: 'ledger' },
    eventTime: new Date(Math.floor(LOADED_MS / 1_000) * 1_000).toISOString().replace('.000Z', 'Z'),
    eventSource: 'ec2.amazonaws.com',
    eventName: 'StartInstances',
    awsRegion: REGION,
    sourceIPAddress: '192.0.2.7',
    userAgent: 'ledger',
    requestParameters: { instanceId: id, padding: 'x'.repeat(id.charCodeAt(0) * 7) },
    responseElements: null,
    eventID: id,
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: LEDGER_ACCOUNT,
    eventCategory: 'Management',
  });
}

/** One time for all records of this process: a retry must send the same bytes. */
const LOADED_MS = Date.now();

/** How a batch ended. */
export type SendOutcome =
  | { readonly kind: 'answered'; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'refused'; readonly status: number; readonly body: string }
  /** No whole answer: what became of the rest is unknown. */
  | { readonly kind: 'lost' };

/** Sends the records of these ids as one batch, and keeps the books. */
export async function sendBatch(access: ServerAccess, ledger: Ledger, ids: readonly string[]): Promise<SendOutcome> {
  for (const id of ids) ledger.sent.add(id);
  const payload = new TextEncoder().encode(ids.map((id) => `${recordOf(id)}\n`).join(''));
  const url = `${access.url}/v1/events?source=record`;
  const { headers } = signRequest(
    { method: 'POST', url, headers: { 'content-type': 'application/x-ndjson' } },
    { credentials: access, region: access.region, service: 'snowtrail', nowMs: Date.now() + ledger.clockOffsetMs, payload },
  );
  const verdicts: Verdict[] = [];
  return await new Promise((resolve) => {
    const lost = () => resolve({ kind: 'lost' });
    const call = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(payload.length) },
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    call.on('error', lost);
    call.on('response', (response) => {
      const status = response.statusCode ?? 0;
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        if (status !== 200) return;
        const lines = text.split('\n');
        text = lines.pop()!;
        for (const line of lines) {
          const verdict = JSON.parse(line) as Verdict;
          verdicts.push(verdict);
          ledger.note(ids, verdict);
        }
      });
      response.on('error', lost);
      response.on('aborted', lost);
      response.on('end', () => {
        if (status === 200) return resolve({ kind: 'answered', verdicts });
        ledger.refusals.set(status, (ledger.refusals.get(status) ?? 0) + 1);
        resolve({ kind: 'refused', status, body: text });
      });
    });
    call.end(payload);
  });
}

export interface Load {
  /** Ends the load after the batches under way. */
  stop(): Promise<void>;
}

/** Several clients that send batches, one after the other each, until they are stopped or the server is gone. */
export async function startLoad(server: StartedServer, ledger: Ledger, seed: number, clients = 4): Promise<Load> {
  const access = await findServer({ dataDir: server.dataDir });
  const random = randomFrom(seed);
  let isStopped = false;
  const client = async (): Promise<void> => {
    while (!isStopped) {
      const ids = newIds(1 + Math.floor(random() * 40));
      const { kind } = await sendBatch(access, ledger, ids);
      if (kind === 'lost') return;
      if (kind === 'refused') await sleep(20);
    }
  };
  const done = Promise.all(Array.from({ length: clients }, client));
  return {
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}

/** Resolves when so many more ids are acknowledged. @throws Error when that takes longer than `limitMs`. */
export async function untilAcknowledged(ledger: Ledger, more: number, limitMs = 30_000): Promise<void> {
  const wanted = ledger.acknowledged.size + more;
  for (const endMs = performance.now() + limitMs; ledger.acknowledged.size < wanted; await sleep(5))
    if (performance.now() > endMs) throw new Error(`${ledger.acknowledged.size} of ${wanted} ids were acknowledged in ${limitMs} ms`);
}

/** Makes a bucket and a trail on a server of the ledger, and starts it. */
export async function prepareTrail(dataDir: string): Promise<void> {
  const client = new Client(await findServer({ dataDir }));
  const put = async (path: string, body: string) => {
    const answer = await client.send('s3', 'PUT', path, { body: new TextEncoder().encode(body) });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${new TextDecoder().decode(answer.body)}`);
  };
  await put(`/${LEDGER_BUCKET}`, '');
  await put(`/${LEDGER_BUCKET}?policy`, JSON.stringify(bucketPolicy(LEDGER_BUCKET, LEDGER_ACCOUNT)));
  await client.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: LEDGER_BUCKET, EnableLogFileValidation: true });
  await client.cloudtrail('StartLogging', { Name: 'main' });
}

/** What a check found. */
export interface LedgerFindings {
  /** One sentence for each thing that is wrong. */
  readonly faults: readonly string[];
  readonly sent: number;
  readonly acknowledged: number;
  /** Events that nobody got an answer for, and that are there. */
  readonly unanswered: number;
  readonly logFiles: number;
}

/** Waits until the server has delivered what it owes, and holds it against the ledger. */
export async function checkLedger(server: Pick<StartedServer, 'dataDir'>, ledger: Ledger): Promise<LedgerFindings> {
  const { dataDir } = server;
  const client = new Client(await findServer({ dataDir }));
  const faults = [...ledger.contradictions];

  // Journal and history: what was acknowledged is there, at its sequence, and nothing that nobody sent.
  const history = await readHistory(client);
  for (const [id, sequence] of ledger.acknowledged) {
    const found = history.get(id);
    if (found === undefined) faults.push(`${id} was acknowledged as ${sequence} and is not in history`);
    else if (found.sequence !== sequence) faults.push(`${id} was acknowledged as ${sequence} and is at ${found.sequence}`);
  }
  for (const [id, { source }] of history) if (source !== 'own-call' && !ledger.sent.has(id)) faults.push(`${id} was never sent`);

  // Trail: each event of the journal is in one log file. Own calls of later than this reading may be there as well.
  const owed = [...history.keys()].filter((id) => ledger.sent.has(id));
  const delivered = await untilDelivered(dataDir, owed);
  for (const id of owed) {
    const files = delivered.places.get(id) ?? [];
    if (files.length !== 1) faults.push(`${id} is in ${files.length} log files: ${files.join(', ')}`);
  }
  const twice = [...delivered.places].filter(([, files]) => files.length > 1).map(([id]) => id);
  for (const id of twice) if (!owed.includes(id)) faults.push(`own call ${id} is in ${delivered.places.get(id)!.length} log files`);
  for (const [id, name] of delivered.names)
    if (name === 'StartInstances' && !ledger.sent.has(id)) faults.push(`${id} was delivered and never sent`);

  // Tree: the newest acknowledged events are proved from their own bytes.
  for (const id of [...ledger.acknowledged.keys()].slice(-3)) {
    if (!history.has(id)) continue;
    const { Event } = await client.call<{ Event: ProvedEvent }>('GetEvent', { EventId: id });
    const { IsVerified, Problem } = await proveInclusion(client, Event, undefined);
    if (!IsVerified) faults.push(`${id} is not proved to be in the tree: ${Problem}`);
  }

  const { Unexplained } = await client.call<{ Unexplained: number }>('GetAccounting');
  if (Unexplained !== 0) faults.push(`${Unexplained} events are unexplained`);
  // The call has brought the books up to date, and what everybody may read must say the same.
  const metrics = new TextDecoder().decode((await client.page('/metrics')).body);
  const unexplained = metrics.split('\n').filter((line) => /^snowtrail_unexplained_/.test(line));
  for (const follower of ['history', 'tree', 'accounting', `trail/${LEDGER_ACCOUNT}/${REGION}/main`])
    if (!unexplained.includes(`snowtrail_unexplained_events{follower="${follower}"} 0`)) faults.push(`/metrics: ${follower} is not at 0`);
  if (!unexplained.includes('snowtrail_unexplained_received_events 0')) faults.push('/metrics: what was received is not at 0');
  const health = await client.call<{ Journal: { State: string }; Damage: unknown[]; Followers: { Name: string; State: string }[] }>(
    'GetHealth',
  );
  if (health.Journal.State !== 'ok') faults.push(`the journal is ${health.Journal.State}`);
  if (health.Damage.length > 0) faults.push(`damage: ${JSON.stringify(health.Damage)}`);
  for (const { Name, State } of health.Followers) if (State !== 'running') faults.push(`the follower ${Name} is ${State}`);

  // Before the first interval has ended there are no digests, and the verifier rightly calls that incomplete.
  await untilFirstDigest(dataDir);
  const verified = await runCli(['verify', '--data-dir', dataDir]);
  if (verified.exitCode !== 0) faults.push(`verify ends with ${verified.exitCode}: ${verified.text}${verified.stderr}`);
  return {
    faults,
    sent: ledger.sent.size,
    acknowledged: ledger.acknowledged.size,
    unanswered: owed.length - ledger.acknowledged.size,
    logFiles: delivered.files,
  };
}

/** Sequence and origin of each event in history, once history has seen the whole journal of this moment. */
async function readHistory(client: Client): Promise<Map<string, { readonly sequence: string; readonly source: string }>> {
  const [wanted] = await historyPlace(client);
  for (const endMs = performance.now() + DELIVERY_MS; ; await sleep(POLL_MS)) {
    const [head, lag] = await historyPlace(client);
    if (head - lag >= wanted && (await answersLookUps(client))) break;
    if (performance.now() > endMs) throw new Error(`history is ${lag} entries behind the journal's head of ${head}, or does not answer`);
  }
  const found = new Map<string, { readonly sequence: string; readonly source: string }>();
  for await (const page of searchPages(client, { operation: 'ExportEvents', input: {} })) {
    for (const { EventId, Sequence, Source } of page.Events) {
      const before = found.get(EventId);
      if (before !== undefined) throw new Error(`${EventId} is in history as ${before.sequence} and ${Sequence}`);
      found.set(EventId, { sequence: Sequence, source: Source });
    }
  }
  return found;
}

/** Whether history answers. It refuses to while it indexes anew what a crash took from its index. */
async function answersLookUps(client: Client): Promise<boolean> {
  try {
    await client.call('ExportEvents', { MaxResults: 1 });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed && error.message.includes('is being rebuilt')) return false;
    throw error;
  }
}

/** The journal's head, and how far history is behind it, as `/metrics` says. */
async function historyPlace(client: Client): Promise<[number, number]> {
  const text = new TextDecoder().decode((await client.page('/metrics')).body);
  const read = (line: RegExp) => Number(line.exec(text)?.[1] ?? Number.NaN);
  return [read(/^snowtrail_journal_head (\d+)$/m), read(/^snowtrail_follower_lag_entries\{follower="history"\} (\d+)$/m)];
}

interface Delivered {
  /** Log files that hold an event, by its id. */
  readonly places: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlyMap<string, string>;
  readonly files: number;
}

/** The log files of the bucket's folder, read until all of these ids are there, or for as long as a delivery may take. */
async function untilDelivered(dataDir: string, ids: readonly string[]): Promise<Delivered> {
  for (const endMs = performance.now() + DELIVERY_MS; ; await sleep(POLL_MS)) {
    const delivered = await readLogFiles(join(dataDir, 'objects', LEDGER_BUCKET));
    if (ids.every((id) => delivered.places.has(id)) || performance.now() > endMs) return delivered;
  }
}

/** Resolves when the ledger's trail has put a digest, or the time for it is over. */
export async function untilFirstDigest(dataDir: string): Promise<void> {
  for (const endMs = performance.now() + DELIVERY_MS; performance.now() < endMs; await sleep(POLL_MS)) {
    const paths = await readdir(join(dataDir, 'objects', LEDGER_BUCKET), { recursive: true });
    if (paths.some((path) => /\/CloudTrail-Digest\/.*\.json\.gz$/.test(path))) return;
  }
}

/** A digest's interval. */
export interface DigestInterval {
  /** ISO 8601, in seconds. */
  readonly start: string;
  readonly end: string;
  readonly isBackfill: boolean;
}

/** Digests of the ledger's trail, by their start. */
export async function digestsOf(dataDir: string): Promise<readonly DigestInterval[]> {
  const folder = join(dataDir, 'objects', LEDGER_BUCKET);
  const paths = (await readdir(folder, { recursive: true })).filter((path) => /\/CloudTrail-Digest\/.*\.json\.gz$/.test(path));
  const digests = await Promise.all(
    paths.map(async (path) => {
      const { digestStartTime, digestEndTime } = JSON.parse(gunzipSync(await readFile(join(folder, path))).toString()) as {
        digestStartTime: string;
        digestEndTime: string;
      };
      return { start: digestStartTime, end: digestEndTime, isBackfill: path.includes('_backfill') };
    }),
  );
  return digests.sort((one, other) => (one.start < other.start ? -1 : 1));
}

async function readLogFiles(folder: string): Promise<Delivered> {
  const paths = (await readdir(folder, { recursive: true })).filter((path) => /\/CloudTrail\/.*\.json\.gz$/.test(path));
  const places = new Map<string, string[]>();
  const names = new Map<string, string>();
  for (const path of paths) {
    const { Records } = JSON.parse(gunzipSync(await readFile(join(folder, path))).toString()) as {
      Records: { eventID: string; eventName: string }[];
    };
    for (const { eventID, eventName } of Records) {
      places.set(eventID, [...(places.get(eventID) ?? []), path]);
      names.set(eventID, eventName);
    }
  }
  return { places, names, files: paths.length };
}
