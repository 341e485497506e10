/**
 * Clients of the server: they submit records and call operations as the HTTP side hands them over, and keep the answers.
 *
 * The wire (signatures, sockets) is left out: it has tests of its own, and sockets have a will of their own.
 */
import { ApiError } from '../../src/api/api-error.ts';
import type { Call } from '../../src/api/operation.ts';
import type { AccountId, JsonObject, Region } from '../../src/event/types.ts';
import { runOperation } from '../../src/http/dispatch.ts';
import { readJsonObject } from '../../src/http/read-json.ts';
import type { Ledger } from './ledger.ts';
import { ADMINISTRATOR, HOME, type Life, Violation } from './life.ts';
import type { SentRecord } from './records.ts';
import type { World } from './world.ts';

/** Answers that say no for good reason. */
const REFUSALS = new Set(['TrailNotFoundException', 'CheckpointNotFoundException', 'InsufficientS3BucketPolicyException']);

export interface Submission {
  readonly caller: AccountId;
  readonly region: Region;
  readonly source: 'record' | 'import';
  readonly createAccounts: boolean;
  readonly records: readonly SentRecord[];
  /** The client goes away after so many answer lines. */
  readonly hangsUpAfter?: number;
}

/** What came of a call: its answer, the code of the refusal, or nothing. */
export type CallOutcome =
  | { readonly kind: 'answer'; readonly output: JsonObject; readonly requestId: string }
  | { readonly kind: 'refused'; readonly code: string; readonly requestId: string }
  | { readonly kind: 'no-answer'; readonly requestId: string };

interface VerdictLine {
  readonly number?: number;
  readonly status: 'accepted' | 'repeated' | 'rejected' | 'unavailable';
  readonly eventID?: string;
  readonly sequence?: string;
  readonly code?: string;
}

export class Client {
  readonly #world: World;
  readonly #ledger: Ledger;

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
  }

  /** Whether the account exists, as far as its key was handed over. */
  has(account: AccountId): boolean {
    return this.#world.keptKeys.has(account);
  }

  /** Submits records. What was not answered may be in the journal or not. */
  async submit(life: Life, submission: Submission): Promise<void> {
    const ledger = this.#ledger;
    const { caller, records, source, createAccounts } = submission;
    const call = await this.#callOf(life, caller, submission.region);
    if (call === undefined) return;
    for (const record of records) {
      const account = record.account ?? caller;
      if (record.refusal === undefined && (account === caller || caller === ADMINISTRATOR)) {
        ledger.send(account, record.text);
        ledger.records.push({ caller, record, source });
        ledger.repeated.sent++;
      }
      ledger.rejected.sent++;
    }
    if (createAccounts) ledger.creating.set(call.requestId, { caller, accounts: new Set(records.map(({ account }) => account ?? caller)) });
    const lines: VerdictLine[] = [];
    const route = life.server.ports.streams.get('POST /v1/events')!;
    const handling = route.handle({
      call,
      query: new Map([
        ['source', source],
        ['createAccounts', String(createAccounts)],
      ]),
      headers: {},
      body: this.#bodyOf(records),
      answer: {
        start: () => {},
        write: async (piece) => {
          if (life.isDead) return;
          for (const line of String(piece).trimEnd().split('\n')) {
            if (lines.length >= (submission.hangsUpAfter ?? Number.POSITIVE_INFINITY)) throw new Error('the client has gone');
            const verdict = JSON.parse(line) as VerdictLine;
            lines.push(verdict);
            this.#take(submission, verdict);
          }
        },
      },
    });
    const name = `${caller} submits ${records.length} (${source}${createAccounts ? ', creating' : ''})`;
    const outcome = await life.finish(
      handling.then(
        () => 'answered',
        (error: unknown) => {
          if (error instanceof Violation) throw error;
          return error instanceof ApiError ? error.code : `failed: ${String(error)}`;
        },
      ),
      name,
    );
    const counts = ['accepted', 'repeated', 'rejected', 'unavailable'].map(
      (status) => lines.filter((line) => line.status === status).length,
    );
    this.#world.trace.add(`${name}: ${outcome?.value ?? 'died'} ${counts.join('/')}`);
    const isRefused = outcome !== undefined && (outcome.value !== 'answered' || lines.at(-1)?.status === 'unavailable');
    const hasHungUp = lines.length >= (submission.hangsUpAfter ?? Number.POSITIVE_INFINITY);
    if (isRefused && !hasHungUp && !this.#world.isTroubled())
      throw new Violation(`a submission is refused, and nothing is wrong: ${outcome.value}`);
    if (outcome?.value === 'answered' && lines.at(-1)?.status !== 'unavailable' && lines.length !== records.length)
      throw new Violation(`${records.length} records got ${lines.length} verdicts`);
  }

  /** Calls an operation and keeps whether it was answered. */
  async call(life: Life, caller: AccountId, name: string, input: JsonObject, region: Region = HOME): Promise<CallOutcome> {
    const call = await this.#callOf(life, caller, region);
    if (call === undefined) return { kind: 'no-answer', requestId: '' };
    const { requestId } = call;
    const sent = { requestId, account: caller, name, outcome: 'unknown' as 'unknown' | 'succeeded' | 'refused', isUnrecorded: false };
    this.#ledger.calls.set(requestId, sent);
    const { ports } = life.server;
    const service = [...ports.services.values()].find(({ operations }) => operations.has(name))!;
    const request = { body: Buffer.from(JSON.stringify(input)), signed: { use: () => 'first' as const, giveBack: () => undefined } };
    const running = runOperation(ports, service, call, { name, readInput: readJsonObject }, request).then(
      (output): CallOutcome => ({ kind: 'answer', output: output as JsonObject, requestId }),
      (error: unknown): CallOutcome => ({
        kind: 'refused',
        code: error instanceof ApiError ? error.code : `${(error as Error).name}: ${(error as Error).message}`,
        requestId,
      }),
    );
    const outcome = (await life.finish(running, `${name} of ${caller}`))?.value ?? { kind: 'no-answer', requestId };
    this.#world.trace.add(`${caller} calls ${name} ${JSON.stringify(input)}: ${outcome.kind === 'refused' ? outcome.code : outcome.kind}`);
    if (outcome.kind === 'refused' && !REFUSALS.has(outcome.code) && !this.#world.isTroubled())
      throw new Violation(`${name} is refused, and nothing is wrong: ${outcome.code}`);
    sent.isUnrecorded = life.unrecorded.has(requestId);
    if (outcome.kind !== 'no-answer') sent.outcome = outcome.kind === 'answer' ? 'succeeded' : 'refused';
    return outcome;
  }

  /** A call as the signature check makes it: the key must be known, as long as its account is. */
  async #callOf(life: Life, account: AccountId, region: Region): Promise<Call | undefined> {
    const accessKeyId = this.#world.keptKeys.get(account);
    const existed = life.server.accounts.exists(account);
    if (accessKeyId === undefined) return undefined;
    const looking = life.server.accounts.findCredentials(accessKeyId).catch(() => 'failed' as const);
    const found = await life.finish(looking, `the credentials of ${account}`);
    if (found === undefined || found.value === 'failed') return undefined;
    if (found.value === undefined) {
      // The key is kept before the account exists: a crash in between leaves a key that opens nothing.
      if (existed) throw new Violation(`account ${account} exists, and the key that was kept does not open it`);
      return undefined;
    }
    return {
      principal: found.value.principal,
      account,
      region,
      requestId: this.#world.chance.uuid(),
      sourceIpAddress: '192.0.2.1',
      userAgent: 'simulation',
      receivedAtMs: this.#world.nowMs(),
    };
  }

  /** The bytes of a submission, in pieces that end anywhere. */
  async *#bodyOf(records: readonly SentRecord[]): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(`${records.map(({ text }) => text).join('\n')}\n`);
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(bytes.length, from + this.#world.pick(1, 4_000));
      yield bytes.subarray(from, to);
      from = to;
    }
  }

  #take({ caller, records, createAccounts }: Submission, verdict: VerdictLine): void {
    if (verdict.status === 'unavailable') return;
    const record = records[verdict.number! - 1];
    if (record === undefined) throw new Violation(`a verdict for record ${verdict.number} of ${records.length}`);
    const account = record.account ?? caller;
    const isForeign = account !== caller && caller !== ADMINISTRATOR;
    if (verdict.status === 'rejected') {
      this.#ledger.rejected.acknowledged++;
      const isUnknownAccount = verdict.code === 'UnknownAccount' && caller === ADMINISTRATOR && !createAccounts;
      const expected = record.refusal ?? (isForeign ? 'AccessDenied' : isUnknownAccount ? 'UnknownAccount' : undefined);
      if (verdict.code !== expected) throw new Violation(`a record was rejected with ${verdict.code}, not ${expected}: ${record.text}`);
      return;
    }
    if (record.refusal !== undefined || isForeign)
      throw new Violation(`a record was ${verdict.status} that must be refused: ${record.text}`);
    if (verdict.status === 'repeated') this.#ledger.repeated.acknowledged++;
    const eventId = verdict.eventID!;
    if (record.eventId !== undefined && record.eventId !== eventId)
      throw new Violation(`event ${record.eventId} was answered as ${eventId}`);
    this.#ledger.acknowledge({ account, eventId, sequence: BigInt(verdict.sequence!), text: record.text });
  }
}
