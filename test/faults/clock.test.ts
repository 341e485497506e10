/**
 * The server's clock is set while it runs, is wrong at a start, or time passes without the server.
 *
 * Order comes from sequences and never from the clock: each event is in one log file, digests neither overlap nor leave a
 * gap, and the verifier says so. reliability.md P11, P12, F28–F33, F42. `SNOWTRAIL_SWEEP=1`: longer pauses.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findServer } from '../../src/cli/find-server.ts';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { openDiskJournal } from '../../src/store/disk/journal/disk-journal.ts';
import { FakeTime, hasFakeTime } from '../support/fake-time.ts';
import {
  checkLedger,
  digestsOf,
  LEDGER_FLAGS,
  Ledger,
  type Load,
  newIds,
  prepareTrail,
  sendBatch,
  startLoad,
  untilAcknowledged,
} from '../support/ledger.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { IS_SWEEP } from '../support/sweep.ts';

const PAUSE_MS = IS_SWEEP ? 600_000 : 8_000;
/** Three intervals and a half. */
const DOWN_MS = IS_SWEEP ? 180_000 : 17_500;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Years of a wrong clock at a start: before the keys began, after they ended. */
const WRONG_YEARS = [1970, 2039, 2100];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'snowtrail-clock-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A server with a trail, and what its clients know. */
class Rig {
  readonly ledger = new Ledger();
  readonly dataDir: string;
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  server!: StartedServer;

  constructor(name: string, { flags = [], env = {} }: { flags?: readonly string[]; env?: Readonly<Record<string, string>> } = {}) {
    this.dataDir = join(root, name);
    this.#flags = [...LEDGER_FLAGS, ...flags];
    this.#env = env;
  }

  async start(): Promise<void> {
    this.server = await startServer({ dataDir: this.dataDir, flags: this.#flags, env: this.#env });
  }

  load(): Promise<Load> {
    return startLoad(this.server, this.ledger, 1, 1);
  }

  /** Sends until so many more are acknowledged. */
  async send(events: number): Promise<void> {
    const load = await this.load();
    await untilAcknowledged(this.ledger, events);
    await load.stop();
  }

  /** Sets the clock of the running server. The clocks are compared each second: it needs some time to notice. */
  async setClock(time: FakeTime, offsetMs: number): Promise<void> {
    await time.moveTo(offsetMs);
    this.ledger.clockOffsetMs = offsetMs;
    await sleep(2_500);
  }

  async untilSays(text: RegExp): Promise<void> {
    for (const endMs = performance.now() + 20_000; !text.test(this.server.stderr()); await sleep(100))
      if (performance.now() > endMs) throw new Error(`the server never said ${text}, but: ${this.server.stderr()}`);
  }

  async faults(): Promise<readonly string[]> {
    return (await checkLedger(this.server, this.ledger)).faults;
  }

  /** By how much the clock jumped, as the facts of the journal say. The server must have ended. */
  async jumps(): Promise<readonly number[]> {
    const options = { folder: join(this.dataDir, 'journal'), clock: createSystemClock(), chance: createSystemChance() };
    const journal = await openDiskJournal({ ...options, sealing: 'never' });
    const found: number[] = [];
    for (let after = 0n; after < journal.head(); ) {
      const entries = await journal.read(after, 1_000);
      for (const entry of entries)
        if (entry.kind === 'fact' && entry.factKind === 'clock-jump')
          found.push((JSON.parse(new TextDecoder().decode(entry.bytes)) as { jumpMs: number }).jumpMs);
      after = entries.at(-1)!.sequence;
    }
    await journal.close();
    return found;
  }
}

/** Whether each digest begins where the one before it ends. */
async function gapsOf(dataDir: string): Promise<readonly string[]> {
  const digests = await digestsOf(dataDir);
  return digests.slice(1).flatMap(({ start }, index) => (start === digests[index]!.end ? [] : [`${digests[index]!.end} to ${start}`]));
}

async function untilDigests(dataDir: string, count: number): Promise<void> {
  for (const endMs = performance.now() + 60_000; (await digestsOf(dataDir)).length < count; await sleep(200))
    if (performance.now() > endMs) throw new Error(`${(await digestsOf(dataDir)).length} of ${count} digests were made`);
}

describe.skipIf(!hasFakeTime())('a server whose clock is set', () => {
  test.concurrent('three days ahead and back, where summer time and quarters of an hour differ from UTC (F28, F31): both jumps are facts, order stays, and one digest covers each hour', async () => {
    const time = await FakeTime.create(root, 'ahead');
    const rig = new Rig('ahead', { flags: ['--digest-interval', '1h'], env: { ...time.environment(), TZ: 'Pacific/Chatham' } });
    await rig.start();
    await prepareTrail(rig.dataDir);
    await rig.send(50);
    await rig.setClock(time, 3 * DAY_MS);
    await rig.send(50);
    await untilDigests(rig.dataDir, 72);
    await rig.setClock(time, 0);
    await rig.send(50);
    expect(await rig.faults()).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
    expect(await gapsOf(rig.dataDir)).toEqual([]);
    expect((await rig.jumps()).map((jumpMs) => Math.round(jumpMs / HOUR_MS))).toEqual([72, -72]);
  });

  test.concurrent('two hours back within an interval, and right again (F29): no interval has two digests, none overlap', async () => {
    const time = await FakeTime.create(root, 'back');
    const rig = new Rig('back', { env: time.environment() });
    await rig.start();
    await prepareTrail(rig.dataDir);
    await rig.send(50);
    await untilDigests(rig.dataDir, 1);
    await rig.setClock(time, -2 * HOUR_MS);
    await rig.send(50);
    await rig.setClock(time, 0);
    await rig.send(50);
    await untilDigests(rig.dataDir, 3);
    expect(await rig.faults()).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
    expect(await gapsOf(rig.dataDir)).toEqual([]);
    expect((await rig.jumps()).map((jumpMs) => Math.round(jumpMs / HOUR_MS))).toEqual([-2, 2]);
  });

  test.concurrent('thirty days ahead while events come in, over restarts (F42): a batch that is sent again then is still known', async () => {
    const time = await FakeTime.create(root, 'month');
    const rig = new Rig('month', { env: time.environment() });
    const setTime = async (offsetMs: number) => {
      await time.moveTo(offsetMs);
      rig.ledger.clockOffsetMs = offsetMs;
      await rig.start();
    };
    const ids = newIds(100);
    await setTime(-30 * DAY_MS);
    const first = await sendBatch(await findServer({ dataDir: rig.dataDir }), rig.ledger, ids);
    for (const days of [-30, -20, -10]) {
      if (days > -30) await setTime(days * DAY_MS);
      await rig.send(1_000);
      expect(await rig.server.stop()).toBe(0);
    }
    await setTime(0);
    const again = await sendBatch(await findServer({ dataDir: rig.dataDir }), rig.ledger, ids);
    const placesOf = (outcome: typeof first, status: string) =>
      outcome.kind === 'answered'
        ? outcome.verdicts.map((each) => (each.status === status && 'sequence' in each ? each.sequence : each))
        : [outcome];
    expect(placesOf(again, 'repeated')).toEqual(placesOf(first, 'accepted'));
    expect(rig.ledger.contradictions).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
  });

  test.concurrent('to 1970, 2039 or 2100 before a start (F30): it signs nothing, says why, takes events, and goes on once the time is right', async () => {
    const time = await FakeTime.create(root, 'wrong');
    const rig = new Rig('wrong', { env: time.environment() });
    await rig.start();
    await prepareTrail(rig.dataDir);
    await rig.send(50);
    await untilDigests(rig.dataDir, 1);
    expect(await rig.server.stop()).toBe(0);
    const digests = await digestsOf(rig.dataDir);
    for (const year of WRONG_YEARS) {
      const offsetMs = Math.floor((Date.UTC(year, 0, 2) - Date.now()) / 1_000) * 1_000;
      await time.moveTo(offsetMs);
      rig.ledger.clockOffsetMs = offsetMs;
      await rig.start();
      await rig.send(20);
      await rig.untilSays(new RegExp(`no checkpoint can be signed: the clock says .${year}-.* is valid from .* set the clock right`));
      expect(await rig.server.stop()).toBe(0);
      expect(await digestsOf(rig.dataDir), `${year}`).toEqual(digests);
    }
    await time.moveTo(0);
    rig.ledger.clockOffsetMs = 0;
    await rig.start();
    expect(await rig.faults()).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
    expect(await gapsOf(rig.dataDir)).toEqual([]);
  });
});

describe('time that passes without the server', () => {
  test.concurrent('stopped in the middle of its work, as a machine that is suspended (F32): goes on, and delivers nothing twice', async () => {
    const rig = new Rig('paused');
    await rig.start();
    await prepareTrail(rig.dataDir);
    const load = await rig.load();
    await untilAcknowledged(rig.ledger, 50);
    process.kill(rig.server.pid, 'SIGSTOP');
    await sleep(PAUSE_MS);
    process.kill(rig.server.pid, 'SIGCONT');
    // A client that waited for minutes has given up by now.
    await load.stop();
    await rig.send(50);
    expect(await rig.faults()).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
    expect(await gapsOf(rig.dataDir)).toEqual([]);
  });

  test.concurrent('down over whole intervals (F33): each gets its digest afterwards, and the chain is whole', async () => {
    const rig = new Rig('down');
    await rig.start();
    await prepareTrail(rig.dataDir);
    await rig.send(50);
    await untilDigests(rig.dataDir, 1);
    expect(await rig.server.stop()).toBe(0);
    const before = (await digestsOf(rig.dataDir)).length;
    await sleep(DOWN_MS);
    await rig.start();
    await rig.send(50);
    await untilDigests(rig.dataDir, before + 4);
    expect(await rig.faults()).toEqual([]);
    expect(await rig.server.stop()).toBe(0);
    expect(await gapsOf(rig.dataDir)).toEqual([]);
    expect((await digestsOf(rig.dataDir)).filter(({ isBackfill }) => isBackfill).length).toBeGreaterThanOrEqual(2);
  });
});
