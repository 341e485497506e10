/**
 * The server is killed at any moment, asked to stop under load, started twice, and asked the same thing again.
 *
 * Whatever happens: what was acknowledged is in history, in the tree and in exactly one log file, nothing is there twice,
 * and nothing is there that nobody sent. reliability.md F01, F40–F42, F44, F45, F53. `sweep.ts` says
 * how many kills, and how to repeat them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findServer } from '../../src/cli/find-server.ts';
import {
  checkLedger,
  LEDGER_FLAGS,
  Ledger,
  newIds,
  prepareTrail,
  type SendOutcome,
  sendBatch,
  startLoad,
  untilAcknowledged,
} from '../support/ledger.ts';
import { randomFrom } from '../support/simulated-files.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { IS_SWEEP, sweepSteps } from '../support/sweep.ts';

const KILLS = IS_SWEEP ? 100 : 8;
/** A check reads everything that there is: after each kill it would take most of the sweep's time. */
const KILLS_BETWEEN_CHECKS = IS_SWEEP ? 5 : 1;
/** Of loads whose sizes decide nothing. */
const SEED = 1;
/** A server that comes back must answer by then (F01). */
const RESTART_MS = 10_000;

let dataDir: string;
let ledger: Ledger;
let server: StartedServer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'snowtrail-kill-'));
  ledger = new Ledger();
  server = await startServer({ dataDir, flags: LEDGER_FLAGS });
  await prepareTrail(dataDir);
});
afterAll(async () => {
  await server?.kill();
  await rm(dataDir, { recursive: true, force: true });
});

/** Starts the server anew. @returns how long that took, in milliseconds. */
async function restart(): Promise<number> {
  const startMs = performance.now();
  server = await startServer({ dataDir, flags: LEDGER_FLAGS });
  return performance.now() - startMs;
}

describe('a server under load', () => {
  test(`killed ${KILLS} times at random moments (F01, F45): loses and doubles nothing`, { timeout: KILLS * 60_000 }, async () => {
    const totals = { slowestMs: 0 };
    let kills = 0;
    for (const { index, seed } of sweepSteps('kills', KILLS, { checkedEvery: KILLS_BETWEEN_CHECKS, totals })) {
      kills += 1;
      const load = await startLoad(server, ledger, seed);
      const delayMs = Math.floor(randomFrom(seed)() * 1_500);
      await sleep(delayMs);
      await server.kill();
      await load.stop();
      totals.slowestMs = Math.max(totals.slowestMs, await restart());
      if ((index + 1) % KILLS_BETWEEN_CHECKS !== 0 && index + 1 < KILLS) continue;
      const { faults } = await checkLedger(server, ledger);
      expect(faults, `kill ${index} after ${delayMs} ms`).toEqual([]);
    }
    const { faults: _, ...counts } = await checkLedger(server, ledger);
    console.log(`${kills} kills: ${JSON.stringify(counts)}, slowest start ${Math.round(totals.slowestMs)} ms`);
    expect(counts.acknowledged).toBeGreaterThanOrEqual(kills);
    expect(totals.slowestMs).toBeLessThan(RESTART_MS);
  });

  test('killed three times in a row as soon as it is up (F03): recovers as if it had been once', async () => {
    const load = await startLoad(server, ledger, SEED);
    await untilAcknowledged(ledger, 100);
    await server.kill();
    await load.stop();
    for (let times = 0; times < 3; times++) {
      await restart();
      await server.kill();
    }
    await restart();
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
  });

  test('asked to stop by SIGTERM (F53): exits 0 within ten seconds, and what is under way is acknowledged or refused', async () => {
    const load = await startLoad(server, ledger, SEED);
    await untilAcknowledged(ledger, 100);
    const startMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await load.stop();
    await restart();
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
  });

  test('a second server on its data directory is refused, and changes nothing (F44)', async () => {
    const load = await startLoad(server, ledger, SEED);
    await untilAcknowledged(ledger, 20);
    await expect(startServer({ dataDir, flags: LEDGER_FLAGS })).rejects.toThrow(`is in use by process ${server.pid}`);
    await untilAcknowledged(ledger, 20);
    await load.stop();
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
  });
});

describe('a batch that is sent again', () => {
  test('comes back as repeated, with the sequences of the first answer (F40)', async () => {
    const ids = newIds(50);
    const first = statusesAndSequences(await send(ids));
    expect(first.statuses).toEqual(['accepted']);
    expect(statusesAndSequences(await send(ids))).toEqual({ statuses: ['repeated'], sequences: first.sequences });
  });

  test('by sixteen clients at once, is accepted once and has one sequence for all (F41)', async () => {
    const ids = newIds(50);
    const answers = await Promise.all(Array.from({ length: 16 }, () => send(ids, new Ledger())));
    const seen = answers.flatMap((answer) => verdictsOf(answer));
    expect(seen).toHaveLength(16 * 50);
    for (const id of ids) {
      const own = seen.filter((verdict) => verdict.eventID === id);
      expect(own.filter(({ status }) => status === 'accepted')).toHaveLength(1);
      expect(new Set(own.map(({ sequence }) => sequence)).size).toBe(1);
    }
    expect(statusesAndSequences(await send(ids)).statuses).toEqual(['repeated']);
  });

  test('after the server was killed and came back, is still known (F42)', async () => {
    const ids = newIds(50);
    const first = statusesAndSequences(await send(ids));
    await server.kill();
    await restart();
    expect(statusesAndSequences(await send(ids))).toEqual({ statuses: ['repeated'], sequences: first.sequences });
  });

  test('leaves each event in one log file, one place of history, and the books at nought (F45)', async () => {
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
  });
});

async function send(ids: readonly string[], into = ledger): Promise<SendOutcome> {
  // What a ledger of its own is told, the shared one must know as sent.
  for (const id of ids) ledger.sent.add(id);
  return await sendBatch(await findServer({ dataDir }), into, ids);
}

interface KnownVerdict {
  readonly status: string;
  readonly eventID: string;
  readonly sequence: string;
}

/** @throws Error when not every record was accepted or repeated. */
function verdictsOf(outcome: SendOutcome): readonly KnownVerdict[] {
  if (outcome.kind !== 'answered') throw new Error(`the batch was not answered: ${JSON.stringify(outcome)}`);
  return outcome.verdicts.map((verdict) => {
    if (verdict.status !== 'accepted' && verdict.status !== 'repeated') throw new Error(JSON.stringify(verdict));
    return verdict;
  });
}

function statusesAndSequences(outcome: SendOutcome): { readonly statuses: readonly string[]; readonly sequences: readonly string[] } {
  const verdicts = verdictsOf(outcome);
  return { statuses: [...new Set(verdicts.map(({ status }) => status))], sequences: verdicts.map(({ sequence }) => sequence) };
}
