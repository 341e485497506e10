/**
 * Sends the records of files to the bulk endpoint: in batches, several on the way at once, slowed down by the server.
 *
 * A batch may hold records of many files, and reading never waits for an answer but to keep few of them on the way: log files
 * are often small, and one request for each would mean that nothing is done while it is answered.
 *
 * Sending twice is safe: the server answers `repeated`. So a batch whose answer was lost is sent again, and a run that was
 * interrupted goes on from its resume file (`resume-memory.ts`). A file is not done while a run with another flag or key would
 * take events of it that were refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { readRecordTime, shiftRecordTime } from '../event/shift-time.ts';
import type { Client, Verdict } from './client.ts';
import { CommandFailed } from './exit.ts';
import { findInputFiles, type InputFile, readPieces } from './input-files.ts';
import { Progress } from './progress.ts';
import { Refusals, type Rejection } from './refusals.ts';
import { NAMED_PER_FILE_MAX, ResumeMemory } from './resume-memory.ts';

/** Refusals that are due to how the command was run, not to the record. */
const CURABLE: ReadonlySet<string> = new Set(['UnknownAccount', 'AccessDenied']);
/** Bytes of records in one request. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_RECORDS = 1_000;
/** Requests on the way at once. */
const REQUESTS_MAX = 4;
/** How long a server that takes nothing is tried again. */
const RETRY_MS = 120_000;
/** Refused records that are named; the others are counted. */
const REJECTIONS_MAX = 10_000;
const NEWLINE = 0x0a;

export interface SubmitOptions {
  readonly source: 'record' | 'import';
  readonly createAccounts: boolean;
  /** Moves all events so that the newest is at this time; absent: as they are. */
  readonly shiftToMs?: number;
  /** File that remembers what is done. */
  readonly resume?: string;
  /** The server's log, by name: of which server that file remembers it. */
  readonly log?: string;
  readonly isQuiet: boolean;
  readonly signal: AbortSignal;
}

interface FileRejection extends Rejection {
  readonly file: string;
}

export interface SubmitReport {
  readonly files: number;
  /** Files that the resume file says are done. */
  readonly skipped: number;
  /** Files in the folders that hold no events by their name or place. */
  readonly passedOver: number;
  /** `passedOver` by what these files are. */
  readonly passedOverKinds: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly repeated: number;
  /** Of `accepted`: the id was there with other bytes. */
  readonly conflicting: number;
  /** Of the whole job: of this run, and of files that earlier runs with this resume file did. */
  readonly rejected: number;
  /** Of `rejected`: in files that earlier runs did. */
  readonly rejectedBefore: number;
  /** `rejected` by code. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The first 10,000 of `rejected`; of a file that an earlier run did, its first 20. */
  readonly rejections: readonly FileRejection[];
  /** Files that could not be read to their end, and folders that could not be looked into. */
  readonly failedFiles: readonly { readonly file: string; readonly reason: string }[];
  readonly isInterrupted: boolean;
}

/** A file that is being sent. */
interface Sending {
  readonly file: InputFile;
  /** Records that were read and are not answered. */
  unanswered: number;
  readonly refused: Refusals;
  /** It was read to its end, and can be done. */
  isRead: boolean;
  /** Events of it were refused that another run may send in. */
  isCurable: boolean;
  /** It was gone through, and that was said. */
  isSettled: boolean;
}

interface Item {
  readonly sending: Sending;
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** @throws CommandFailed when the server refuses or cannot be reached. */
export async function submitFiles(client: Client, paths: readonly string[], options: SubmitOptions): Promise<SubmitReport> {
  const { files, passedOver, unreadable } = await findInputFiles(paths);
  const memory = await ResumeMemory.open(options.resume, options.log);
  const offsetMs = options.shiftToMs === undefined ? 0 : (memory.offsetMs ?? (await offsetTo(files, options.shiftToMs)));
  if (options.shiftToMs !== undefined) await memory.saveOffset(offsetMs);

  const tally = new Tally();
  for (const { path, reason } of unreadable) tally.failFile(path, reason);
  const progress = new Progress(options.isQuiet, files.length);
  const settle = async (sending: Sending): Promise<void> => {
    if (!sending.isRead || sending.unanswered > 0 || sending.isSettled) return;
    sending.isSettled = true;
    if (!sending.isCurable) await memory.saveDone(sending.file, sending.refused);
    progress.fileDone();
  };
  const batches = new Batches(
    (batch) => submitBatch(client, batch, options, progress),
    async (batch, verdicts) => {
      // Interrupted before it was answered.
      if (verdicts.length === 0) return;
      for (const [index, verdict] of verdicts.entries()) {
        const { sending, number } = batch[index]!;
        tally.add(sending, number, verdict);
        if (verdict.status === 'rejected' && CURABLE.has(verdict.code)) sending.isCurable = true;
        sending.unanswered--;
      }
      progress.add(batch.length, sizeOf(batch));
      for (const sending of new Set(batch.map((item) => item.sending))) await settle(sending);
    },
  );
  let skipped = 0;
  const sent = new Set<string>();
  for (const file of files) {
    if (options.signal.aborted || batches.hasFailed) break;
    if (memory.isDone(file)) {
      skipped += 1;
      continue;
    }
    sent.add(file.path);
    const refused = new Refusals(NAMED_PER_FILE_MAX);
    const sending: Sending = { file, unanswered: 0, refused, isRead: false, isCurable: false, isSettled: false };
    sending.isRead = await readFileInto(sending, { offsetMs, tally, batches, signal: options.signal });
    await settle(sending);
  }
  // After an interruption only what is on the way is waited for.
  if (!options.signal.aborted) await batches.flush();
  await batches.end();
  progress.end();
  for (const { done, reasons, rejections } of memory.refusedBefore(sent)) tally.addBefore(done, reasons, rejections);
  const passedOverCount = Object.values(passedOver).reduce((sum, count) => sum + count, 0);
  return {
    files: files.length,
    skipped,
    passedOver: passedOverCount,
    passedOverKinds: passedOver,
    ...tally.report(),
    isInterrupted: options.signal.aborted,
  };
}

/**
 * Reads a file and hands its records on.
 *
 * @returns whether the file was read to its end. One that was not is not done: what it holds behind the fault is still missing.
 */
async function readFileInto(
  sending: Sending,
  to: { readonly offsetMs: number; readonly tally: Tally; readonly batches: Batches; readonly signal: AbortSignal },
): Promise<boolean> {
  const { offsetMs, tally, batches, signal } = to;
  const { file } = sending;
  try {
    for await (const pieces of readPieces(file)) {
      for (const piece of pieces) {
        if (piece.kind === 'malformed') {
          tally.reject(sending, piece);
          continue;
        }
        const bytes = offsetMs === 0 ? piece.bytes : shiftRecordTime(piece.bytes, offsetMs);
        sending.unanswered++;
        await batches.add({ sending, number: piece.number, bytes });
      }
      if (signal.aborted || batches.hasFailed) return false;
    }
    return true;
  } catch (error) {
    tally.failFile(file.path, error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** Gathers records to batches and has a few of them on the way at once. */
class Batches {
  readonly #send: (batch: readonly Item[]) => Promise<readonly FinalVerdict[]>;
  readonly #take: (batch: readonly Item[], verdicts: readonly FinalVerdict[]) => Promise<void>;
  #batch: Item[] = [];
  #batchBytes = 0;
  #batchSpansLines = false;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(
    send: (batch: readonly Item[]) => Promise<readonly FinalVerdict[]>,
    take: (batch: readonly Item[], verdicts: readonly FinalVerdict[]) => Promise<void>,
  ) {
    this.#send = send;
    this.#take = take;
  }

  /** A batch was refused: nothing more is sent. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Resolves when there is room for more. */
  async add(item: Item): Promise<void> {
    const isFull = this.#batch.length >= BATCH_RECORDS || this.#batchBytes + item.bytes.length > BATCH_BYTES;
    const itemSpansLines = spansLines(item);
    if (this.#batch.length > 0 && (isFull || itemSpansLines !== this.#batchSpansLines)) await this.flush();
    this.#batchSpansLines = itemSpansLines;
    this.#batch.push(item);
    this.#batchBytes += item.bytes.length;
  }

  /** Sends what was gathered. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    while (this.#underWay.size >= REQUESTS_MAX) await Promise.race(this.#underWay);
    if (this.hasFailed) return;
    const underWay = this.#exchange(batch).finally(() => this.#underWay.delete(underWay));
    this.#underWay.add(underWay);
  }

  async #exchange(batch: readonly Item[]): Promise<void> {
    try {
      await this.#take(batch, await this.#send(batch));
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /** Waits for all answers. @throws what made a batch fail */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function sizeOf(batch: readonly Item[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** What became of one record. */
type FinalVerdict = Exclude<Verdict, { status: 'unavailable' }>;

/** Sends one batch until it is answered whole; no verdicts when it was interrupted while the server took nothing. */
async function submitBatch(
  client: Client,
  batch: readonly Item[],
  options: SubmitOptions,
  progress: Progress,
): Promise<readonly FinalVerdict[]> {
  const { body, form } = bodyOf(batch);
  const startedMs = performance.now();
  for (let attempt = 0; ; attempt += 1) {
    const waitMs = Math.min(5_000, 100 * 2 ** attempt);
    let reason = 'the server takes no events at the moment';
    try {
      const verdicts = await client.submit(body, { ...options, ...form });
      const whole = verdicts.filter((verdict) => verdict.status !== 'unavailable');
      if (whole.length === batch.length) return whole;
      const isCutShort = verdicts.at(-1)?.status === 'unavailable';
      if (!isCutShort)
        throw new CommandFailed(
          1,
          `the server answered with ${whole.length} verdicts for ${batch.length} records; nothing was lost, but this is a fault: please report it`,
        );
      if (performance.now() - startedMs > RETRY_MS) throw new CommandFailed(1, `${reason}; try again later`);
    } catch (error) {
      if (performance.now() - startedMs > RETRY_MS || !isPassing(error)) throw error;
      reason = error.message;
    }
    progress.wait(`${reason}; trying again for up to ${RETRY_MS / 60_000} minutes, Ctrl-C ends`);
    await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) return [];
  }
}

/** True for an answer that says "not now". */
function isPassing(error: unknown): error is CommandFailed {
  return error instanceof CommandFailed && /^(ThrottlingException|ServiceUnavailable|SlowDown|HTTP 503)|^no answer/.test(error.message);
}

/** Such a record was cut at its brackets, never at the end of a line: they close, whatever is between them. */
function spansLines({ bytes }: Item): boolean {
  return bytes.includes(NEWLINE);
}

/**
 * Records that span lines as one document, others as lines: a line stands for itself, whatever is in it. A batch has but one
 * kind, for one line that is half a record would tear a document.
 */
function bodyOf(batch: readonly Item[]): { readonly body: Uint8Array; readonly form: { readonly form?: 'lines' } } {
  const isDocument = spansLines(batch[0]!);
  const [first, between, last] = isDocument ? ['{"Records":[', ',', ']}'] : ['', '\n', '\n'];
  const parts: Uint8Array[] = [Buffer.from(first)];
  batch.forEach(({ bytes }, index) => {
    if (index > 0) parts.push(Buffer.from(between));
    parts.push(bytes);
  });
  parts.push(Buffer.from(last));
  return { body: Buffer.concat(parts), form: isDocument ? {} : { form: 'lines' } };
}

/** What is to be added to each event time, so that the newest becomes `toMs`. Reads all files once. */
async function offsetTo(files: readonly InputFile[], toMs: number): Promise<number> {
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const file of files) {
    if (file.path === '-') throw new CommandFailed(64, '--shift-to has to read its input twice; give files instead of standard input');
    try {
      for await (const pieces of readPieces(file)) {
        for (const piece of pieces) if (piece.kind === 'record') newestMs = Math.max(newestMs, readRecordTime(piece.bytes) ?? newestMs);
      }
    } catch {
      // A file that cannot be read to its end is reported when it is sent.
    }
  }
  return Number.isFinite(newestMs) ? Math.floor((toMs - newestMs) / 1_000) * 1_000 : 0;
}

/** Counts verdicts by what they say. */
class Tally {
  #accepted = 0;
  #repeated = 0;
  #conflicting = 0;
  #rejectedBefore = 0;
  readonly #refused = new Refusals<FileRejection>(REJECTIONS_MAX);
  readonly #failedFiles: { file: string; reason: string }[] = [];

  add(sending: Sending, number: number, verdict: FinalVerdict): void {
    if (verdict.status === 'rejected') this.reject(sending, { number, code: verdict.code, reason: verdict.reason });
    else if (verdict.status === 'repeated') this.#repeated += 1;
    else this.#accepted += 1;
    if (verdict.status === 'accepted' && verdict.conflicting) this.#conflicting += 1;
  }

  reject({ file, refused }: Sending, { number, code, reason }: Rejection): void {
    refused.add({ number, code, reason });
    this.#refused.add({ file: file.path, number, code, reason });
  }

  /** Adds what an earlier run refused of a file. */
  addBefore(file: string, reasons: Readonly<Record<string, number>>, rejections: readonly Rejection[]): void {
    const countNow = this.#refused.count;
    this.#refused.addCounts(reasons);
    this.#refused.name(rejections.map((rejection) => ({ file, ...rejection })));
    this.#rejectedBefore += this.#refused.count - countNow;
  }

  failFile(file: string, reason: string): void {
    this.#failedFiles.push({ file, reason });
  }

  report(): Omit<SubmitReport, 'files' | 'skipped' | 'passedOver' | 'passedOverKinds' | 'isInterrupted'> {
    return {
      accepted: this.#accepted,
      repeated: this.#repeated,
      conflicting: this.#conflicting,
      rejected: this.#refused.count,
      rejectedBefore: this.#rejectedBefore,
      reasons: this.#refused.reasons,
      rejections: this.#refused.named,
      failedFiles: this.#failedFiles,
    };
  }
}
