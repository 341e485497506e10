/**
 * Prints how fast a whole server answers LookupEvents by each of its eight attributes, without and with intake beside.
 *
 * Run: `npm run build && node bench/run.mjs lookup [--events 1000000] [--folder FOLDER] [--intake 2000] [--seconds 2]`.
 * `--attribute NAME` asks by one only.
 * A folder that is given keeps the filled data directory for the next run; without one it's made and removed.
 * Input: synthetic events of the measured shape over 89 days, accepted as imports. Calls are signed HTTP, in pages of 50, by
 * the account and Region that have a quarter of all events, and each is recorded as every call is. A third asks for the newest
 * events of a value that is as common as it occurs, a third for a value from all of them alike (most are rare), and a third
 * for a common value up to a random time of the 89 days: its events are scattered over as many blocks of the journal.
 * Reference: the service's limit of 2 calls/s, and the CPU time of `JSON.parse` of the same records.
 * Noise: the caller is this process and shares the machine's cores with the server. Without intake the CPU time of a call, in
 * records that could have been parsed in it, depends least on what else the machine does.
 */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from '../src/cli/client.ts';
import { parseEvent } from '../src/event/parse-event.ts';
import type { Event } from '../src/event/types.ts';
import { hashSha256 } from '../src/server/sha256.ts';
import { anonymousMiB } from '../test/support/anonymous-memory.ts';
import { loadText, processorSeconds, quantile, RecordSource, startMeasured, submitAll, whenCaughtUp } from './measured-server.ts';
import { randomOf, SyntheticEvents } from './synthetic-events.ts';

/** The scope with a quarter of the events. */
const ACCOUNT = '111000000000';
const REGION = 'us-east-1';
const FILL_BATCH = 1_000;
const FILL_CONNECTIONS = 3;
const CATCH_UP_MS = 600_000;
const QUESTIONS = 3_000;
const INTAKE_BATCH = 50;
const PAGE = 50;

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    folder: { type: 'string' },
    intake: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '2' },
    attribute: { type: 'string' },
  },
});
const events = Number(options.events);
const intakePerSecond = Number(options.intake);
const measureMs = Number(options.seconds) * 1_000;
const random = randomOf(20_260_102);

/** What events have of each attribute. */
const ATTRIBUTES: Readonly<Record<string, (event: Event) => string | undefined>> = {
  EventId: ({ eventId }) => eventId,
  EventName: ({ eventName }) => eventName,
  ReadOnly: ({ isReadOnly }) => (isReadOnly === undefined ? undefined : String(isReadOnly)),
  Username: ({ username }) => username,
  ResourceType: ({ resources }) => resources[0]?.type,
  ResourceName: ({ resources }) => resources[0]?.name,
  EventSource: ({ eventSource }) => eventSource,
  AccessKeyId: ({ accessKeyId }) => accessKeyId,
};

interface Question {
  readonly kind: (typeof KINDS)[number];
  readonly input: object;
}
const KINDS = ['common', 'rare', 'scattered'] as const;

interface Measured {
  readonly times: readonly { readonly kind: Question['kind']; readonly ms: number }[];
  readonly perSecond: number;
  /** Of the server: all its threads, and its main thread alone. */
  readonly cpuMs: number;
  readonly mainMs: number;
}

async function run(folder: string): Promise<void> {
  const endMs = await fill(folder);
  const server = await startMeasured({ account: ACCOUNT, dataDir: join(folder, 'data') });
  try {
    const { client } = server;
    await whenAnswering(client);
    const { pid } = server.server;
    console.log(
      `lookup: ${events} events, idle RssAnon ${Math.round(anonymousMiB(pid))} MiB, start ${Math.round(server.startMs)} ms, ${loadText()}`,
    );
    const questions = questionsOf(endMs);
    // Code that has not run before is slow, and a server runs for long.
    for (const asked of questions.values()) await measure(client, pid, 4, asked);
    let peakMiB = 0;
    const sampler = setInterval(() => {
      peakMiB = Math.max(peakMiB, anonymousMiB(pid));
    }, 250);
    for (const beside of [0, intakePerSecond]) {
      for (const connections of [1, 4]) {
        const parseUs = parseMicroseconds();
        const intake = startIntake(client, beside);
        console.log(
          `\n${connections} connection${connections > 1 ? 's' : ''}, ${beside === 0 ? 'no intake' : `intake of ${beside} events/s`}`,
        );
        const all: Measured[] = [];
        for (const [attribute, asked] of questions) {
          const measured = await measure(client, pid, connections, asked);
          all.push(measured);
          console.log(`  ${attribute.padEnd(13)} ${lineOf(measured)}`);
        }
        const taken = await intake.stop();
        const sum = together(all);
        const parsed = ((sum.cpuMs / sum.times.length) * 1_000) / ((parseUs + parseMicroseconds()) / 2);
        console.log(
          `  ${'all'.padEnd(13)} ${lineOf(sum)}; as much CPU as JSON.parse of ${Math.round(parsed)} records` +
            `${beside === 0 ? '' : `; ${taken} events/s taken`}; ${loadText()}`,
        );
      }
    }
    clearInterval(sampler);
    console.log(`\nRssAnon at most ${Math.round(peakMiB)} MiB; ${loadText()}`);
  } finally {
    await server.end();
  }
}

/** Fills the data directory unless it is filled already. @returns The time of the newest event. */
async function fill(folder: string): Promise<number> {
  const mark = join(folder, 'filled.json');
  if (existsSync(mark)) {
    const filled = JSON.parse(await readFile(mark, 'utf8')) as { readonly events: number; readonly endMs: number };
    if (filled.events !== events) throw new Error(`\`${folder}\` holds ${filled.events} events; give another folder`);
    return filled.endMs;
  }
  const endMs = Date.now();
  const dataDir = join(folder, 'data');
  await mkdir(dataDir, { recursive: true });
  const server = await startMeasured({ account: ACCOUNT, dataDir });
  try {
    const synthetic = new SyntheticEvents(events, endMs);
    const from = performance.now();
    let next = 1;
    await Promise.all(
      Array.from({ length: FILL_CONNECTIONS }, async () => {
        while (next <= events) {
          const first = next;
          next = Math.min(events + 1, first + FILL_BATCH);
          await send(server.client, synthetic, first, next - first);
        }
      }),
    );
    await whenCaughtUp(server.client, ['history'], CATCH_UP_MS);
    console.log(`filled with ${events} events in ${Math.round((performance.now() - from) / 1_000)} s, ${loadText()}`);
  } finally {
    await server.end();
  }
  await writeFile(mark, JSON.stringify({ events, endMs }));
  return endMs;
}

/** After a start the newest entries are indexed again, and look-ups are refused until then. */
async function whenAnswering(client: Client): Promise<void> {
  for (;;) {
    const outcome = await client.cloudtrail('LookupEvents', { MaxResults: 1 }).catch((error: Error) => error);
    if (!(outcome instanceof Error)) return;
    if (!outcome.message.includes('ask again later')) throw outcome;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function send(client: Client, synthetic: SyntheticEvents, first: number, count: number): Promise<void> {
  const texts = Array.from({ length: count }, (_, place) => synthetic.event(first + place).text);
  const verdicts = await client.submit(Buffer.from(`{"Records":[${texts.join(',')}]}`), { source: 'import', createAccounts: true });
  const other = verdicts.find(({ status }) => status !== 'accepted');
  if (other !== undefined) throw new Error(`expected all to be accepted, got ${JSON.stringify(other)}`);
}

/** Look-ups of values that the management events of the scope have. */
function questionsOf(endMs: number): ReadonlyMap<string, readonly Question[]> {
  const synthetic = new SyntheticEvents(events, endMs);
  const found: Event[] = [];
  while (found.length < QUESTIONS) {
    const { account, region, receivedAtMs, text } = synthetic.event(1 + Math.floor(random() * events));
    if (account !== ACCOUNT || region !== REGION) continue;
    const outcome = parseEvent(Buffer.from(text), { account, region, nowMs: receivedAtMs }, { sha256: hashSha256 });
    if (outcome.kind === 'event' && outcome.event.category === 'Management') found.push(outcome.event);
  }
  const wanted = Object.entries(ATTRIBUTES).filter(([attribute]) => options.attribute === undefined || options.attribute === attribute);
  return new Map(
    wanted.map(([attribute, read]) => {
      const values = found.map(read).filter((value) => value !== undefined);
      const distinct = [...new Set(values)];
      const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)]!;
      const asked = Array.from({ length: QUESTIONS }, (_, place): Question => {
        const kind = KINDS[place % KINDS.length]!;
        const value = pick(kind === 'rare' ? distinct : values);
        // An id has its one event wherever it is.
        const isScattered = kind === 'scattered' && attribute !== 'EventId';
        const EndTime = isScattered ? { EndTime: Math.floor((endMs - random() * 80 * 86_400_000) / 1_000) } : {};
        return { kind, input: { LookupAttributes: [{ AttributeKey: attribute, AttributeValue: value }], MaxResults: PAGE, ...EndTime } };
      });
      return [attribute, asked] as const;
    }),
  );
}

async function measure(client: Client, pid: number, connections: number, asked: readonly Question[]): Promise<Measured> {
  const times: { readonly kind: Question['kind']; readonly ms: number }[] = [];
  const before = processorSeconds(pid);
  const from = performance.now();
  let next = Math.floor(random() * asked.length);
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const caller = new Client(client.access);
      while (performance.now() - from < measureMs) {
        const { kind, input } = asked[next++ % asked.length]!;
        const startMs = performance.now();
        const { Events } = await caller.cloudtrail<{ readonly Events: readonly object[] }>('LookupEvents', input);
        times.push({ kind, ms: performance.now() - startMs });
        if (Events.length === 0 && kind !== 'scattered') throw new Error(`nothing was found by ${JSON.stringify(input)}`);
      }
    }),
  );
  const perSecond = times.length / ((performance.now() - from) / 1_000);
  const { all, main } = processorSeconds(pid);
  return { times, perSecond, cpuMs: (all - before.all) * 1_000, mainMs: (main - before.main) * 1_000 };
}

/** CPU time that `JSON.parse` takes for a record on this core, now. */
function parseMicroseconds(): number {
  const synthetic = new SyntheticEvents(1, Date.now());
  const texts = Array.from({ length: 2_000 }, (_, index) => synthetic.event(index + 2).text);
  const before = process.cpuUsage();
  for (let round = 0; round < 5; round++) for (const text of texts) JSON.parse(text);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (5 * texts.length);
}

function together(all: readonly Measured[]): Measured {
  return {
    times: all.flatMap(({ times }) => times),
    perSecond: all.reduce((sum, { perSecond }) => sum + perSecond, 0) / all.length,
    cpuMs: all.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    mainMs: all.reduce((sum, { mainMs }) => sum + mainMs, 0),
  };
}

function lineOf({ times, perSecond, cpuMs, mainMs }: Measured): string {
  const milliseconds = times.map(({ ms }) => ms);
  const at = (values: readonly number[], share: number): string => (values.length === 0 ? '–' : quantile(values, share).toFixed(1));
  const kinds = KINDS.map((kind) => {
    const some = times.filter((time) => time.kind === kind).map(({ ms }) => ms);
    return `${kind} ${at(some, 0.5)}/${at(some, 0.99)}`;
  });
  return (
    `${perSecond.toFixed(0).padStart(5)} calls/s  p50 ${at(milliseconds, 0.5)} ms  p99 ${at(milliseconds, 0.99)} ms  ` +
    `server CPU ${(cpuMs / times.length).toFixed(2)} ms a call, ${(mainMs / times.length).toFixed(2)} of the main thread  (p50/p99: ${kinds.join(', ')})`
  );
}

/** Sends batches as they are due until it is stopped. `stop` returns the events a second that were taken. */
function startIntake(client: Client, perSecond: number): { stop(): Promise<number> } {
  const sender = new Client(client.access);
  const records = new RecordSource(ACCOUNT);
  const from = performance.now();
  let [isRunning, sent] = [perSecond > 0, 0];
  const done = (async () => {
    while (isRunning) {
      const isDue = ((performance.now() - from) / 1_000) * perSecond - sent >= INTAKE_BATCH;
      if (isDue) {
        await submitAll(sender, records.document(INTAKE_BATCH), 'import');
        sent += INTAKE_BATCH;
      } else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    stop: async () => {
      isRunning = false;
      await done;
      return Math.round(sent / ((performance.now() - from) / 1_000));
    },
  };
}

const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'snowtrail-bench-')));
try {
  await run(folder);
} finally {
  if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
}
