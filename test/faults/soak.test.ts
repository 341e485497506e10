/**
 * Steady load for long (reliability.md §3, F45): events, look-ups and verification at once, and nothing grows that should not.
 *
 * Part of the sweep alone: half an hour, or as many minutes as `SNOWTRAIL_SOAK_MINUTES` says.
 */
import { readdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { anonymousMiB } from '../support/anonymous-memory.ts';
import { checkLedger, LEDGER_FLAGS, Ledger, newIds, prepareTrail, sendBatch } from '../support/ledger.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { sweepSteps } from '../support/sweep.ts';

const MINUTES = Number(process.env['SNOWTRAIL_SOAK_MINUTES'] ?? 30);
const BATCH_EVENTS = 75;
/**
 * From the begin of a batch to the next: 300 events a second. The first quarter of half an hour then fills all that is bounded and
 * fills once: both tables of new history rows, the fresh entries, the first log files that are sealed.
 */
const BATCH_MS = 250;
const LOOK_UP_MS = 500;
/** What was acknowledged so long ago must be found. */
const VISIBLE_MS = 5_000;
const VERIFY_MS = 60_000;
const SAMPLE_MS = 2_000;
const TOLD_MS = 30_000;
/** Of the server and the processes that it starts, whatever they do. */
const MEMORY_MAX_MIB = 512;
/** What the last quarter may have above the second one, in a soak that is long enough for the first to be the warm-up. */
const GROWTH_MAX_MIB = 48;
const GROWTH_MINUTES_MIN = 8;
const DESCRIPTORS_GROWTH_MAX = 16;

interface Sample {
  readonly memoryMib: number;
  /** Beside one for each file of the data directory: those of full segments stay open, up to a limit of the journal's own. */
  readonly descriptors: number;
}

test(`${MINUTES} minutes of events, look-ups and verification: memory and descriptors stay bounded, and the ledger holds`, {
  timeout: (MINUTES + 15) * 60_000,
}, async () => {
  for (const _ of sweepSteps('soak', 1)) await soak();
});

async function soak(): Promise<void> {
  const server = await startServer({ flags: [...LEDGER_FLAGS, '--flush-interval', '2s', '--digest-interval', '20s'] });
  try {
    const { dataDir } = server;
    await prepareTrail(dataDir);
    const access = await findServer({ dataDir });
    const client = new Client(access);
    const ledger = new Ledger();
    const startMs = performance.now();
    const endMs = startMs + MINUTES * 60_000;
    const samples: Sample[] = [];
    /** Ids that were acknowledged, with the time of their answer. */
    const known: { readonly id: string; readonly atMs: number }[] = [];
    let lookUps = 0;
    let verifications = 0;

    const every = async (ms: number, work: () => Promise<void>): Promise<void> => {
      for (let dueMs = startMs + ms; dueMs < endMs; dueMs = Math.max(dueMs + ms, performance.now())) {
        await sleep(Math.max(0, dueMs - performance.now()));
        await work();
      }
    };
    await Promise.all([
      every(BATCH_MS, async () => {
        const ids = newIds(BATCH_EVENTS);
        const { kind } = await sendBatch(access, ledger, ids);
        expect(kind).toBe('answered');
        known.push({ id: ids[0]!, atMs: performance.now() });
      }),
      every(LOOK_UP_MS, async () => {
        const old = known.filter(({ atMs }) => performance.now() - atMs > VISIBLE_MS);
        // The newest as often as all others: they are found in other places.
        const chosen = lookUps % 2 === 0 ? old.at(-1) : old[Math.floor(Math.random() * old.length)];
        if (chosen === undefined) return;
        const LookupAttributes = [{ AttributeKey: 'EventId', AttributeValue: chosen.id }];
        const { Events } = await client.cloudtrail<{ Events: { EventId: string }[] }>('LookupEvents', { LookupAttributes });
        expect(Events.map(({ EventId }) => EventId)).toEqual([chosen.id]);
        lookUps += 1;
      }),
      every(VERIFY_MS, async () => {
        const { exitCode, text, stderr } = await runCli(['verify', '--data-dir', dataDir]);
        // What is on its way meanwhile may leave it incomplete.
        expect([0, 2], text + stderr).toContain(exitCode);
        verifications += 1;
      }),
      every(SAMPLE_MS, async () => void samples.push(await sampleOf(server))),
      every(TOLD_MS, async () => {
        const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
        const counts = `${ledger.acknowledged.size} events, ${lookUps} look-ups, ${verifications} verifications`;
        console.log(`soak: ${minutes} of ${MINUTES} minutes, ${counts}, ${JSON.stringify(samples.at(-1))}`);
      }),
    ]);
    const { faults, ...counts } = await checkLedger(server, ledger);
    console.log(
      `soak: ${JSON.stringify(counts)}, ${lookUps} look-ups, ${verifications} verifications, ${JSON.stringify(quarters(samples))}`,
    );
    expect(faults).toEqual([]);
    expect(lookUps).toBeGreaterThan(MINUTES * 10);
    expect(verifications).toBeGreaterThanOrEqual(MINUTES / 4 - 1);
    expect(Math.max(...samples.map(({ memoryMib }) => memoryMib))).toBeLessThan(MEMORY_MAX_MIB);
    const [, second, , last] = quarters(samples);
    expect(last!.descriptors).toBeLessThanOrEqual(second!.descriptors + DESCRIPTORS_GROWTH_MAX);
    if (MINUTES >= GROWTH_MINUTES_MIN) expect(last!.memoryMib).toBeLessThanOrEqual(second!.memoryMib + GROWTH_MAX_MIB);
    expect(await server.stop()).toBe(0);
  } finally {
    await server.kill();
    await rm(server.dataDir, { recursive: true, force: true });
  }
}

/** Medians of each quarter of the time. */
function quarters(samples: readonly Sample[]): readonly Sample[] {
  const length = Math.ceil(samples.length / 4);
  return [0, 1, 2, 3].map((quarter) => {
    const own = samples.slice(quarter * length, (quarter + 1) * length);
    const median = (values: readonly number[]) => [...values].sort((one, other) => one - other)[values.length >> 1] ?? 0;
    return { memoryMib: median(own.map(({ memoryMib }) => memoryMib)), descriptors: median(own.map(({ descriptors }) => descriptors)) };
  });
}

/** Memory without mapped files, and what the server has open. */
async function sampleOf({ pid, dataDir }: StartedServer): Promise<Sample> {
  const folder = `/proc/${pid}/fd`;
  // One that was closed meanwhile is none.
  const opened = await Promise.all((await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => undefined)));
  const targets = opened.filter((target) => target !== undefined);
  // A file that was deleted or is open twice is one too many.
  const files = new Set(targets.filter((target) => target.startsWith(`${dataDir}/`) && !target.endsWith(' (deleted)')));
  return { memoryMib: Math.round(anonymousMiB(pid)), descriptors: targets.length - files.size };
}
