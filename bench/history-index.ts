/**
 * Prints how fast the look-up index is built, and what one caller sees of it in the same process.
 *
 * Run: `node bench/run.mjs history-index [events, default 1000000] [calls an attribute, default 1000]`.
 * Input: synthetic events of the measured shape over 89 days, indexed by the history follower's own rows into an index on
 * disk with its worker threads, bodies in a journal on disk that is sealed before the calls begin. Beside the calls 5,000
 * events/s are made durable, parsed and indexed. A call is measured from its input to its output, without HTTP.
 * Reference: the service's limit of 2 calls/s, and a hash map in memory from each term to its rows over the same journal.
 * Noise: each attribute is measured in three rounds; the median round and the range are printed.
 */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../src/api/operation.ts';
import type { KnownEvent } from '../src/event/types.ts';
import { FoundEvents } from '../src/history/found-events.ts';
import type { HistoryDeps } from '../src/history/history-deps.ts';
import { historyRow } from '../src/history/history-row.ts';
import { LOOKUP_ATTRIBUTES, type LookupAttribute, type LookupEventsInput, lookupEvents } from '../src/history/lookup-events.ts';
import { createSystemChance } from '../src/store/disk/chance.ts';
import { createSystemClock } from '../src/store/disk/clock.ts';
import { openDiskHistoryIndex } from '../src/store/disk/history-index/disk-history-index.ts';
import { openDiskJournal } from '../src/store/disk/journal/disk-journal.ts';
import { eventOf } from '../src/store/event-of.ts';
import type { HistoryQuery, HistoryRow, HistoryScope } from '../src/store/history-index.ts';
import type { Journal, JournalEntry, NewEvent } from '../src/store/journal.ts';
import { PageTokens } from '../src/store/page-tokens.ts';
import { randomOf, SyntheticEvents } from './synthetic-events.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const CALLS = Number(process.argv[3] ?? 1_000);
const INTAKE_PER_SECOND = 5_000;
const ROUNDS = 3;
const END_MS = Date.UTC(2026, 0, 2);
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'));

const synthetic = new SyntheticEvents(EVENTS, END_MS);
const random = randomOf(20_260_102);
const folder = mkdtempSync(join(tmpdir(), 'snowtrail-bench-'));
async function run(): Promise<void> {
  const journal = await openDiskJournal({ folder: join(folder, 'journal'), clock: createSystemClock(), chance: createSystemChance() });
  const index = await openDiskHistoryIndex({ folder: join(folder, 'history'), termKey: new Uint8Array(32).fill(5), workers: true });
  const reference = new Map<string, number[]>();
  console.log(
    `${EVENTS} synthetic events (${synthetic.isMeasured ? 'weights of profile.json' : 'small committed set: profile.json is missing'})`,
  );

  // Building. Rows are made outside the measured time; workers' time counts as CPU.
  let addMs = 0;
  let cpuMs = 0;
  let terms = 0;
  for (let first = 1; first <= EVENTS; first += 10_000) {
    const entries = entriesFrom(first, Math.min(10_000, EVENTS - first + 1));
    await journal.append(entries.map(asNew));
    const rows = entries.map(rowOf);
    for (const row of rows) {
      terms += row.terms.length;
      for (const { attribute, value } of row.terms) push(reference, keyOf(row, attribute, value), Number(row.sequence));
    }
    const [startMs, cpu] = [performance.now(), process.cpuUsage()];
    await index.add(rows, rows.at(-1)!.sequence);
    addMs += performance.now() - startMs;
    cpuMs += cpuSince(cpu);
  }
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  await index.settle();
  addMs += performance.now() - startMs;
  cpuMs += cpuSince(cpu);
  console.log(
    `build: ${Math.round(EVENTS / (addMs / 1000))} rows/s with flush, sync and merges; ${(terms / EVENTS).toFixed(1)} terms a row; ` +
      `${(index.dataBytes() / EVENTS).toFixed(1)} bytes a row; runs of ${index.runRows().join(', ')} rows; cpu while adding ${Math.round(cpuMs)} ms`,
  );

  // Looking up, with intake beside.
  await journal.whenSealed();
  const deps: HistoryDeps = {
    index,
    journal,
    follower: { catchingUp: () => undefined, passedOver: () => [] },
    clock: { nowMs: () => END_MS, sleep: async () => undefined },
    sha256,
    accounts: () => [],
    events: new FoundEvents(journal, { sha256 }),
    tokens: new PageTokens({ derive: async () => new Uint8Array(32) }, { bytes: (count) => new Uint8Array(count).fill(1) }),
  };
  const operation = lookupEvents(deps);
  const intake = startIntake(journal, index);
  const all: number[] = [];
  for (const key of LOOKUP_ATTRIBUTES) {
    const asked = questions(key);
    const rounds: number[][] = [];
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(asked, ({ call, input }) => operation.decide(call, input)));
    const inMemory = await measure(asked, async ({ referenceKey }) =>
      journal.fetch((reference.get(referenceKey) ?? []).slice(-50).map(BigInt)),
    );
    const alone = await measure(asked, ({ query }) => index.query(query));
    rounds.sort((a, b) => sum(a) - sum(b));
    const times = rounds[1]!;
    all.push(...times);
    const rate = (round: readonly number[]): number => round.length / (sum(round) / 1000);
    console.log(
      `${key.padEnd(13)} ${rate(times).toFixed(0).padStart(6)} calls/s (${rate(rounds[2]!).toFixed(0)} to ${rate(rounds[0]!).toFixed(0)})  ` +
        `p50 ${at(times, 0.5)} ms  p99 ${at(times, 0.99)} ms   index alone p50 ${at(alone, 0.5)} ms  p99 ${at(alone, 0.99)} ms   hash map of everything ${rate(inMemory).toFixed(0)} calls/s: ${(rate(times) / rate(inMemory)).toFixed(2)}×`,
    );
    if (asked.length === 0) throw new Error(`no event has ${key}`);
  }
  const added = await intake.stop();
  const rate = all.length / (sum(all) / 1000);
  console.log(
    `all eight     ${rate.toFixed(0).padStart(6)} calls/s on one caller  p50 ${at(all, 0.5)} ms  p99 ${at(all, 0.99)} ms; ${(rate / 2).toFixed(0)}× the service's limit of 2; intake beside: ${added} events/s`,
  );
  await index.close();
  await journal.close();
}

interface Question {
  readonly call: Call;
  readonly input: LookupEventsInput;
  /** What the operation asks the index. */
  readonly query: HistoryQuery;
  readonly referenceKey: string;
}

/** Look-ups of values that management events have, as often as they occur. */
function questions(key: Parameters<typeof attributeOf>[1]): Question[] {
  const asked: Question[] = [];
  for (let tries = 0; asked.length < CALLS && tries < CALLS * 20; tries += 1) {
    const entry = bodyOf(1 + Math.floor(random() * EVENTS));
    const event = eventOf(entry, { sha256 });
    const value = attributeOf(event, key);
    if (event.category !== 'Management' || value === undefined) continue;
    const { account, region } = entry;
    const principal = {
      type: 'Root',
      account,
      arn: `arn:aws:iam::${account}:root`,
      principalId: account,
      accessKeyId: 'AKIA',
      isAdministrator: false,
    } as const;
    const scope: HistoryScope = { account, region, category: 'management' };
    asked.push({
      call: { principal, account, region, requestId: '', sourceIpAddress: '', userAgent: '', receivedAtMs: END_MS },
      input: { LookupAttributes: [{ AttributeKey: key, AttributeValue: value }] },
      query: {
        scopes: [scope],
        terms: [{ attribute: key, value }],
        fromMs: 0,
        toMs: Number.MAX_SAFE_INTEGER,
        sequenceMax: BigInt(EVENTS),
        limit: 51,
      },
      referenceKey: keyOf({ scope }, key, value),
    });
  }
  return asked;
}

function attributeOf(event: KnownEvent, key: LookupAttribute): string | undefined {
  switch (key) {
    case 'EventId':
      return event.eventId;
    case 'EventName':
      return event.eventName;
    case 'ReadOnly':
      return event.isReadOnly === undefined ? undefined : String(event.isReadOnly);
    case 'Username':
      return event.username;
    case 'ResourceType':
      return event.resources[0]?.type;
    case 'ResourceName':
      return event.resources[0]?.name;
    case 'EventSource':
      return event.eventSource;
    case 'AccessKeyId':
      return event.accessKeyId;
  }
}

/** Milliseconds of each call, one after the other, giving way to the intake between them. */
async function measure(asked: readonly Question[], answer: (question: Question) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (const question of asked) {
    const startMs = performance.now();
    await answer(question);
    times.push(performance.now() - startMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return times;
}

function startIntake(
  journal: Journal,
  index: { add: (rows: readonly HistoryRow[], coveredTo: bigint) => Promise<void> },
): { stop: () => Promise<number> } {
  let isRunning = true;
  let next = EVENTS + 1;
  const startMs = performance.now();
  const done = (async () => {
    while (isRunning) {
      const due = Math.min(1_000, Math.floor(((performance.now() - startMs) / 1000) * INTAKE_PER_SECOND) + EVENTS + 1 - next);
      if (due > 0) {
        const entries = entriesFrom(next, due);
        await journal.append(entries.map(asNew));
        await index.add(entries.map(rowOf), BigInt(next + due - 1));
        next += due;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  return {
    stop: async () => {
      isRunning = false;
      await done;
      return Math.round((next - EVENTS - 1) / ((performance.now() - startMs) / 1000));
    },
  };
}

function entriesFrom(first: number, count: number): JournalEntry[] {
  return Array.from({ length: count }, (_, at) => bodyOf(first + at));
}

function asNew({ account, region, receivedAtMs, bytes, id }: JournalEntry): NewEvent {
  return { kind: 'event', source: 'record', eventId: id, account, region, receivedAtMs, bytes };
}

function rowOf(entry: JournalEntry): HistoryRow {
  return historyRow(entry, eventOf(entry, { sha256 }));
}

function bodyOf(number: number): JournalEntry {
  const { account, region, eventId, receivedAtMs, text } = synthetic.event(number);
  return {
    sequence: BigInt(number),
    kind: 'event',
    source: 'record',
    account,
    region,
    id: eventId,
    receivedAtMs,
    isConflicting: false,
    nonce: new Uint8Array(16),
    bytes: Buffer.from(text),
  };
}

function keyOf(row: Pick<HistoryRow, 'scope'>, attribute: string, value: string): string {
  return `${row.scope.account}/${row.scope.region}/${row.scope.category}/${attribute}/${value}`;
}

function push(map: Map<string, number[]>, key: string, sequence: number): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [sequence]);
  else known.push(sequence);
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function at(times: readonly number[], share: number): string {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)]!.toFixed(2);
}

try {
  await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
