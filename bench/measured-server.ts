/**
 * What the benches of a whole server share: the built server with a trail, batches of synthetic events, and its figures.
 *
 * Events have the shape of `synthetic-events.ts`, are moved to the server's account and get an id of their own by overwriting
 * the id in place, so that making them costs the sender little. Needs `npm run build`.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Client } from '../src/cli/client.ts';
import { findServer } from '../src/cli/find-server.ts';
import { type StartedServer, startServer } from '../test/support/start-server.ts';
import { testDataFolder } from '../test/support/test-data.ts';
import { putTrailBucket } from '../test/support/trail-bucket.ts';
import { SyntheticEvents } from './synthetic-events.ts';

/** The server's own account, unless a bench says otherwise. */
const ACCOUNT = '123456789012';
const SAMPLES = 5_000;
/** Of `/proc`, on every Linux that Node supports. */
const TICKS_A_SECOND = 100;
/** Place of a synthetic record's id is found by this. */
const ID_MARK = '"eventID":"';
/** Of a verdict. */
const ACCEPTED_MARK = '"status":"accepted"';

/** Name of the bucket that the trail writes to. */
export const BUCKET = 'bench-trail';

export interface MeasuredServer {
  readonly client: Client;
  readonly server: StartedServer;
  /** From the start of the process to the line that says where it listens. */
  readonly startMs: number;
  /** Stops the server, and removes its folder unless the bench gave it. */
  end(): Promise<void>;
}

export interface MeasuredServerOptions {
  /** Of the trail, such as `5s`; absent: there is no trail. */
  readonly flushInterval?: string;
  /** Account of the server. */
  readonly account?: string;
  /** A folder that stays; absent: a new one. */
  readonly dataDir?: string;
}

export async function startMeasured({ flushInterval, account = ACCOUNT, dataDir }: MeasuredServerOptions = {}): Promise<MeasuredServer> {
  const from = performance.now();
  const interval = flushInterval === undefined ? [] : ['--flush-interval', flushInterval];
  const server = await startServer({
    flags: ['--account-id', account, ...interval],
    wrapper: profiler(),
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  const startMs = performance.now() - from;
  const client = new Client(await findServer({ dataDir: server.dataDir }));
  if (flushInterval !== undefined) await makeTrail(client);
  const end = async (): Promise<void> => {
    await server.stop();
    if (dataDir === undefined) await rm(server.dataDir, { recursive: true, force: true });
  };
  return { client, server, startMs, end };
}

/** With `SNOWTRAIL_PROFILE=FOLDER` the server leaves a CPU profile of each of its threads there. */
function profiler(): readonly string[] {
  const folder = process.env['SNOWTRAIL_PROFILE'];
  return folder === undefined ? [] : ['bash', '-c', `exec "$0" --cpu-prof --cpu-prof-dir='${folder}' "$@"`];
}

async function makeTrail(client: Client): Promise<void> {
  await putTrailBucket(client, BUCKET, ACCOUNT);
  await client.cloudtrail('CreateTrail', { Name: 'bench', S3BucketName: BUCKET, IsMultiRegionTrail: true });
  await client.cloudtrail('StartLogging', { Name: 'bench' });
}

interface TextRecord {
  readonly text: string;
  readonly account: string;
}

function syntheticRecords(): TextRecord[] {
  const synthetic = new SyntheticEvents(1, Date.now());
  return Array.from({ length: SAMPLES }, (_, index) => synthetic.event(index + 2));
}

/** The 1,534 real records of `delivered-files-invictus`. @throws Error when the test data is missing */
export function realRecords(): TextRecord[] {
  const folder = testDataFolder();
  if (folder === undefined) throw new Error('the test data is missing: set SNOWTRAIL_TEST_DATA');
  const files = join(folder, 'delivered-files-invictus', 'files');
  return readdirSync(files).flatMap((file) => {
    const { Records } = JSON.parse(gunzipSync(readFileSync(join(files, file))).toString()) as { Records: Record<string, unknown>[] };
    return Records.map((record) => ({ text: JSON.stringify(record), account: String(record['recipientAccountId']) }));
  });
}

/** Makes records of one account, each with a new id. */
export class RecordSource {
  readonly #samples: readonly { readonly bytes: Buffer; readonly idAt: number }[];
  #made = 0;

  /** @param texts Records, each with its account; absent: synthetic ones. */
  constructor(account: string = ACCOUNT, texts: readonly TextRecord[] = syntheticRecords()) {
    this.#samples = texts.map((record) => {
      const bytes = Buffer.from(record.text.replaceAll(record.account, account));
      return { bytes, idAt: bytes.indexOf(ID_MARK) + ID_MARK.length };
    });
  }

  /** Mean length of a record in bytes. */
  get meanBytes(): number {
    return this.#samples.reduce((total, { bytes }) => total + bytes.length, 0) / this.#samples.length;
  }

  next(): { readonly id: string; readonly bytes: Buffer } {
    const { bytes: sample, idAt } = this.#samples[this.#made++ % this.#samples.length]!;
    const bytes = Buffer.from(sample);
    // As random as real ones: sizes depend on it.
    const id = randomUUID();
    bytes.write(id, idAt, 'latin1');
    return { id, bytes };
  }

  /** A document of `count` records, as it is submitted and as it lies in a log file. */
  document(count: number): Buffer {
    const parts: Buffer[] = [];
    for (let index = 0; index < count; index++) parts.push(Buffer.from(index === 0 ? '{"Records":[' : ','), this.next().bytes);
    return Buffer.concat([...parts, Buffer.from(']}')]);
  }

  /** Records a second that `JSON.parse` reads on this core, now: median of five rounds over all samples. */
  parseRate(): number {
    const rounds = Array.from({ length: 5 }, () => {
      const from = performance.now();
      for (const { bytes } of this.#samples) JSON.parse(bytes.toString());
      return this.#samples.length / ((performance.now() - from) / 1_000);
    });
    return quantile(rounds, 0.5);
  }
}

/**
 * Sends one batch again and again, each time with new ids: making it and reading the answer cost next to nothing, so that
 * the sender takes little of the cores that it shares with the server.
 */
export class BatchSender {
  readonly #client: Client;
  readonly #body: Buffer;
  readonly #idsAt: readonly number[];

  /** @param count Records of the batch, taken from `records`. */
  constructor(client: Client, records: RecordSource, count: number) {
    this.#client = client;
    this.#body = records.document(count);
    this.#idsAt = placesOf(this.#body, ID_MARK);
  }

  /** @throws Error unless every record is accepted. */
  async send(): Promise<void> {
    for (const at of this.#idsAt) this.#body.write(randomUUID(), at + ID_MARK.length, 'latin1');
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#client.send('snowtrail', 'POST', '/v1/events?createAccounts=false&source=record', {
      headers,
      body: this.#body,
    });
    const accepted = placesOf(Buffer.from(answer.body), ACCEPTED_MARK).length;
    if (answer.status !== 200 || accepted !== this.#idsAt.length)
      throw new Error(`${accepted} of ${this.#idsAt.length} were accepted: ${Buffer.from(answer.body).toString().slice(0, 500)}`);
  }
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) places.push(at);
  return places;
}

/** Sends one record or document and insists that all of it is accepted. */
export async function submitAll(client: Client, body: Uint8Array, source: 'record' | 'import' = 'record'): Promise<void> {
  const verdicts = await client.submit(body, { source, createAccounts: false });
  const other = verdicts.find(({ status }) => status !== 'accepted');
  if (other !== undefined) throw new Error(`expected all to be accepted, got ${JSON.stringify(other)}`);
}

/** Entries of the journal that each follower has not taken, by the follower's name. */
export async function followerLags(client: Client): Promise<ReadonlyMap<string, number>> {
  const page = Buffer.from((await client.page('/metrics')).body).toString();
  const lines = [...page.matchAll(/^snowtrail_follower_lag_entries\{follower="([^"]+)"\} (\d+)$/gm)];
  return new Map(lines.map(([, name, lag]) => [name!, Number(lag)]));
}

/**
 * Waits until the followers whose names begin with one of `names` have taken everything. @returns milliseconds it took.
 * @throws Error when that takes longer than `limitMs`.
 */
export async function whenCaughtUp(client: Client, names: readonly string[], limitMs: number): Promise<number> {
  const from = performance.now();
  for (;;) {
    const lags = [...(await followerLags(client))].filter(([name]) => names.some((each) => name.startsWith(each)));
    if (lags.every(([, lag]) => lag === 0)) return performance.now() - from;
    if (performance.now() - from > limitMs) throw new Error(`followers are behind after ${limitMs} ms: ${lags.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Seconds of processor time that a process used so far: its main thread alone; all of its threads, and processes that it started and that ended. */
export function processorSeconds(pid: number): { readonly all: number; readonly main: number } {
  const seconds = (path: string, ...wanted: readonly number[]): number => {
    const fields = readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return wanted.reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS_A_SECOND;
  };
  return { all: seconds(`/proc/${pid}/stat`, 11, 12, 13, 14), main: seconds(`/proc/${pid}/task/${pid}/stat`, 11, 12) };
}

/** @param share 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** What else the machine did: figures of a loaded machine are noise above the ratio. */
export function loadText(): string {
  return `load ${loadavg()[0]!.toFixed(1)}`;
}
