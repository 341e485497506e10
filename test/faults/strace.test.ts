/**
 * The server dies at, or gets an error from, a chosen system call under load; strace puts the fault there.
 *
 * Each run begins with a copy of one data directory that has a trail and some events. Calls are counted by thread, as
 * strace does. reliability.md F02, F10, F11, F13, F23, F45; §3 for the tool. `sweep.ts` says how many points, and how to repeat them.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { openDiskJournal } from '../../src/store/disk/journal/disk-journal.ts';
import {
  checkLedger,
  LEDGER_ACCOUNT,
  LEDGER_FLAGS,
  Ledger,
  newIds,
  prepareTrail,
  type SendOutcome,
  sendBatch,
  startLoad,
  untilAcknowledged,
  untilFirstDigest,
} from '../support/ledger.ts';
import { runCli } from '../support/run-cli.ts';
import { randomFrom } from '../support/simulated-files.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands, startTool, type Tool } from '../support/start-tool.ts';
import { IS_SWEEP, sweepSteps } from '../support/sweep.ts';

const POINTS = IS_SWEEP ? 500 : 25;
const RECOVERIES = IS_SWEEP ? 40 : 2;
/** Calls that change a disk while the server starts, and up to which one of a thread they come nearly always. */
const STARTING_CALLS = [
  ['fdatasync,fsync', 5],
  ['pwrite64,pwritev,ftruncate', 3],
  ['rename,unlink', 1],
] as const;
/** Of loads whose sizes decide nothing. */
const SEED = 1;
/** A call of this number may never come; then the server is killed as it is. */
const LOAD_MS = 4_000;
const hasStrace = hasCommands(['strace'], 'install the Debian package `strace` to make system calls fail');

/** What strace is told so that calls of these names meet a fault. Without `--seccomp-bpf`: with it, strace 6.1 miscounts `when`. */
function injecting(inject: string): string[] {
  return ['-f', '-o', '/dev/null', '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`];
}

/** Lets calls of a running server on one file meet a fault; calls count from now. */
async function tamper(server: StartedServer, inject: string, file: string): Promise<Tool> {
  return await attach(server, [...injecting(inject), '-P', file]);
}

/** Puts strace with these flags on a running server. */
async function attach(server: StartedServer, flags: readonly string[]): Promise<Tool> {
  const tool = startTool('strace', [...flags, '-p', String(server.pid)]);
  for (const endMs = performance.now() + 10_000; !tool.output().includes(' attached'); await sleep(10))
    if (tool.hasEnded() || performance.now() > endMs) throw new Error(`strace does not attach: ${tool.output()}`);
  return tool;
}

describe.skipIf(!hasStrace)('a server whose system calls are tampered with', () => {
  let root: string;
  let base: string;
  /** What is in the base directory. */
  const before = new Ledger();
  let copies = 0;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'snowtrail-strace-'));
    base = join(root, 'base');
    const server = await startServer({ dataDir: base, flags: LEDGER_FLAGS });
    await prepareTrail(base);
    await sendBatch(await findServer({ dataDir: base }), before, newIds(100));
    // So that no check has to wait for the first digest.
    await untilFirstDigest(base);
    expect(await server.stop()).toBe(0);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  async function copyOfBase(): Promise<{ readonly dataDir: string; readonly ledger: Ledger }> {
    const dataDir = join(root, String(++copies));
    await cp(base, dataDir, { recursive: true, filter: (path) => !/\/lock-[0-9a-f]+$/.test(path) });
    const ledger = new Ledger();
    for (const id of before.sent) ledger.sent.add(id);
    for (const [id, sequence] of before.acknowledged) ledger.acknowledged.set(id, sequence);
    return { dataDir, ledger };
  }

  /** Comes up on a directory without faults, and says what is wrong. */
  async function recover(dataDir: string, ledger: Ledger): Promise<readonly string[]> {
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    const { faults } = await checkLedger(server, ledger);
    await server.kill();
    await rm(dataDir, { recursive: true });
    return faults;
  }

  test(`dies at the N-th call (F02, F23), ${POINTS} points: nothing acknowledged is lost`, { timeout: POINTS * 60_000 }, async () => {
    const calls = ['fdatasync', 'pwrite64,pwritev,write,writev', 'rename', 'openat'] as const;
    const totals = { points: 0, hits: 0, atStart: 0 };
    for (const { index, seed } of sweepSteps('strace-points', POINTS, { totals })) {
      totals.points += 1;
      const names = calls[index % calls.length]!;
      const random = randomFrom(seed);
      // Few of the rare calls come in a run; most of the frequent ones are needed to start at all.
      const nth = 1 + Math.floor(random() ** 2 * { fdatasync: 40, 'pwrite64,pwritev,write,writev': 400, rename: 12, openat: 150 }[names]);
      const { dataDir, ledger } = await copyOfBase();
      const wrapper = ['strace', '-qq', ...injecting(`${names}:signal=SIGKILL:when=${nth}`)];
      const server = await startServer({ dataDir, flags: LEDGER_FLAGS, wrapper }).catch(() => undefined);
      if (server === undefined) {
        totals.atStart += 1;
      } else {
        const load = await startLoad(server, ledger, seed);
        const ended = await Promise.race([server.ended.then(() => true), sleep(LOAD_MS).then(() => false)]);
        if (ended) totals.hits += 1;
        await server.kill();
        await load.stop();
      }
      expect(await recover(dataDir, ledger), `point ${index}: ${names} ${nth}`).toEqual([]);
    }
    const { points, hits, atStart } = totals;
    console.log(`${points} points: ${hits} died under load, ${atStart} at the start, ${points - hits - atStart} were killed instead`);
    expect(hits + atStart, 'points at which strace killed the server').toBeGreaterThanOrEqual(points / 3);
  });

  test(`killed three times in a row while it recovers (F03), ${RECOVERIES} times: recovers as if it had been once`, {
    timeout: RECOVERIES * 120_000,
  }, async () => {
    const totals = { recoveries: 0, deaths: 0 };
    for (const { index, seed } of sweepSteps('strace-recoveries', RECOVERIES, { totals })) {
      totals.recoveries += 1;
      const random = randomFrom(seed);
      const { dataDir, ledger } = await copyOfBase();
      const first = await startServer({ dataDir, flags: LEDGER_FLAGS });
      const load = await startLoad(first, ledger, seed);
      await untilAcknowledged(ledger, 100);
      await first.kill();
      await load.stop();
      const points: string[] = [];
      for (let times = 0; times < 3; times++) {
        const [names, most] = STARTING_CALLS[Math.floor(random() * STARTING_CALLS.length)]!;
        const nth = 1 + Math.floor(random() * most);
        points.push(`${names} ${nth}`);
        const wrapper = ['strace', '-qq', ...injecting(`${names}:signal=SIGKILL:when=${nth}`)];
        const server = await startServer({ dataDir, flags: LEDGER_FLAGS, wrapper }).catch(() => undefined);
        if (server === undefined) totals.deaths += 1;
        await server?.kill();
      }
      expect(await recover(dataDir, ledger), `recovery ${index}: ${points.join(', ')}`).toEqual([]);
    }
    const { recoveries, deaths } = totals;
    console.log(`${recoveries} recoveries: ${deaths} of ${3 * recoveries} starts were killed before they ended`);
    expect(deaths, 'starts that strace killed').toBeGreaterThanOrEqual(recoveries);
  });

  /**
   * Lets a fault hit a server under load: it ends by itself with 1 in time, and what it acknowledged is there after a start.
   * @returns what it wrote to stderr.
   */
  async function endUnderLoad(
    hit: (server: StartedServer, dataDir: string) => ReturnType<typeof attach>,
    withinMs = 10_000,
  ): Promise<string> {
    const { dataDir, ledger } = await copyOfBase();
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    const strace = await hit(server, dataDir);
    const load = await startLoad(server, ledger, SEED);
    const code = await exitCodeWithin(withinMs, server);
    await load.stop();
    await server.kill();
    await strace.stop();
    // A process whose catalog does not close in time kills itself, and says so first.
    if (code === null) expect(server.stderr()).toContain('closing the catalog did not end');
    else expect(code, server.stderr()).toBe(1);
    expect(await recover(dataDir, ledger)).toEqual([]);
    return server.stderr();
  }

  test('one sync of the journal fails with EIO (F10): ends by itself, acknowledges nothing of it, and starts clean', async () => {
    const stderr = await endUnderLoad(async (server, dataDir) =>
      tamper(server, 'fdatasync:error=EIO:when=3', await activeSegment(dataDir)),
    );
    expect(stderr).toContain('the server stops');
  });

  test('a write of the journal fails while the catalog is in a transaction (F10): the process ends all the same', async () => {
    // Of the two only the catalog uses `writev`. While it is slow, transactions wait for the main thread most of the time.
    const inject = ['-e', 'inject=writev:delay_enter=700000', '-e', 'inject=pwritev:error=EIO:when=3'];
    await endUnderLoad(async (server, dataDir) => {
      const paths = ['-P', join(dataDir, 'catalog/data.mdb'), '-P', await activeSegment(dataDir)];
      return attach(server, ['-f', '-o', '/dev/null', '-e', 'trace=writev,pwritev', ...inject, ...paths]);
    });
  });

  test('every sync fails from some moment on, as on a device that died (F12): the process ends, and what it acknowledged is there', async () => {
    await endUnderLoad((server) => attach(server, injecting('fdatasync,fsync:error=EIO:when=3+')));
  });

  test('the catalog’s device fails and the journal’s does not (F12): the process ends, and starts clean', async () => {
    await endUnderLoad((server, dataDir) => tamper(server, 'fdatasync:error=EIO:when=1', join(dataDir, 'catalog/data.mdb')), 15_000);
  });

  test('the disk is full for a while (F13): refuses so that clients try again, answers reads, and goes on by itself', async () => {
    const { dataDir, ledger } = await copyOfBase();
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    // There is space again after so many calls. strace stays until then: a call that it was about to fail when it leaves gets ENOSYS.
    const strace = await tamper(server, 'pwrite64,pwritev,write,writev:error=ENOSPC:when=3..9', await activeSegment(dataDir));
    const access = await findServer({ dataDir });
    const refused: { readonly status: number; readonly body: string }[] = [];
    for (const endMs = performance.now() + 30_000; refused.length === 0 && performance.now() < endMs; ) {
      const outcome = await sendBatch(access, ledger, newIds(5));
      if (outcome.kind === 'refused') refused.push(outcome);
    }
    expect(refused).toHaveLength(1);
    expect(refused[0]!.status).toBe(503);
    expect(await new Client(access).call('GetEvent', { EventId: [...before.acknowledged.keys()][0]! })).toHaveProperty('Event');
    const load = await startLoad(server, ledger, SEED, 1);
    await untilAcknowledged(ledger, 200);
    await load.stop();
    expect(ledger.refusals.get(503)).toBeGreaterThan(1);
    await strace.stop();
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(await recover(dataDir, ledger)).toEqual([]);
  });

  test.each([
    ['full (F13)', 'ENOSPC'],
    ['full up to the quota (F15)', 'EDQUOT'],
  ])('the disk is %s: the refusal of a batch is a ThrottlingException with status 503', async (_, error) => {
    const { dataDir, ledger } = await copyOfBase();
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    const strace = await tamper(server, `pwrite64,pwritev,write,writev:error=${error}:when=3+`, await activeSegment(dataDir));
    const access = await findServer({ dataDir });
    let outcome: SendOutcome = { kind: 'lost' };
    for (let batch = 0; batch < 50 && outcome.kind !== 'refused'; batch++) outcome = await sendBatch(access, ledger, newIds(5));
    await server.kill();
    await strace.stop();
    expect(outcome).toMatchObject({ kind: 'refused', status: 503, body: expect.stringContaining('ThrottlingException') });
  });

  test('a call whose own record cannot be written (F37) is refused, and changes nothing', async () => {
    const { dataDir, ledger } = await copyOfBase();
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    const strace = await tamper(server, 'pwrite64,pwritev,write,writev:error=ENOSPC:when=1+', await activeSegment(dataDir));
    const client = new Client(await findServer({ dataDir }));
    await expect(client.cloudtrail('StopLogging', { Name: 'main' })).rejects.toThrow(
      'could not be made durable, so it was not carried out',
    );
    expect(await client.cloudtrail('GetTrailStatus', { Name: 'main' })).toMatchObject({ IsLogging: true });
    await server.kill();
    await strace.stop();
    const again = await startServer({ dataDir, flags: LEDGER_FLAGS });
    expect(await new Client(await findServer({ dataDir })).cloudtrail('GetTrailStatus', { Name: 'main' })).toMatchObject({
      IsLogging: true,
    });
    expect((await checkLedger(again, ledger)).faults).toEqual([]);
    expect(await again.stop()).toBe(0);
  });

  test('a segment cannot be read while the server runs (F11): who asks for what lies there is told so, doctor names file, place and error, and after a start that can read it all is there', async () => {
    const { dataDir, ledger } = await copyOfBase();
    const EventId = [...before.acknowledged.keys()][0]!;
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS });
    // After a start no entry is in memory.
    const log = await oldestSegment(dataDir);
    const strace = await tamper(server, UNREADABLE, log);
    const client = new Client(await findServer({ dataDir }));
    await expect(client.call('GetEvent', { EventId })).rejects.toThrow(/damaged/);
    const doctor = await runCli(['doctor', '--data-dir', dataDir]);
    expect([doctor.exitCode, doctor.stderr]).toEqual([1, expect.stringContaining(deviceErrorOf(log))]);
    await server.kill();
    await strace.stop();

    const again = await startServer({ dataDir, flags: LEDGER_FLAGS });
    expect(await new Client(await findServer({ dataDir })).call('GetEvent', { EventId })).toHaveProperty('Event.EventId', EventId);
    expect((await checkLedger(again, ledger)).faults).toEqual([]);
    expect(await again.stop()).toBe(0);
  });

  test('a sealed segment that the followers have not read cannot be read (F11): the server starts and takes more, history goes on and says so, tree and trail stop, and nothing is missing after a start that can read it', async () => {
    const { dataDir, ledger } = await copyOfBase();
    // Events that only the journal has.
    const other = await copyOfBase();
    const writer = await startServer({ dataDir: other.dataDir, flags: LEDGER_FLAGS });
    const unread = newIds(20);
    expect(await sendBatch(await findServer({ dataDir: other.dataDir }), ledger, unread)).toMatchObject({ kind: 'answered' });
    expect(await writer.stop()).toBe(0);
    await cp(join(other.dataDir, 'journal'), join(dataDir, 'journal'), { recursive: true });
    const sealed = await sealAll(join(dataDir, 'journal'));

    const wrapper = ['strace', '-qq', ...injecting(UNREADABLE), '-P', sealed];
    const server = await startServer({ dataDir, flags: LEDGER_FLAGS, wrapper });
    expect(await sendBatch(await findServer({ dataDir }), ledger, newIds(5))).toMatchObject({ kind: 'answered' });
    const client = new Client(await findServer({ dataDir }));
    const states = await vi.waitFor(
      async () => {
        const { Followers } = await client.call<{ Followers: { Name: string; State: string }[] }>('GetHealth');
        const found = Object.fromEntries(Followers.map(({ Name, State }) => [Name, State]));
        expect(found).toMatchObject({ tree: 'stopped', [LEDGER_TRAIL]: 'stopped' });
        const search = await runCli(['events', 'name:StartInstances', '--limit', '0', '-o', 'ndjson', '--data-dir', dataDir]);
        expect([search.exitCode, search.stderr]).toEqual([
          4,
          expect.stringMatching(/journal entries .* are damaged and may be missing here/),
        ]);
        expect(search.text.match(/"EventId"/g)).toHaveLength(5);
        return found;
      },
      { timeout: 30_000, interval: 200 },
    );
    expect(states).toMatchObject({ history: 'running', accounting: 'running' });
    const doctor = await runCli(['doctor', '--data-dir', dataDir]);
    expect([doctor.exitCode, doctor.stderr]).toEqual([1, expect.stringContaining(deviceErrorOf(sealed))]);
    expect(doctor.stderr).toMatch(/put the segment back from a backup, then start the server again/);
    await server.kill();

    // Neither skipped nor twice: each is in one log file, and the digests are one chain.
    const again = await startServer({ dataDir, flags: LEDGER_FLAGS });
    expect((await checkLedger(again, ledger)).faults).toEqual([]);
    expect((await runCli(['doctor', '--data-dir', dataDir])).exitCode).toBe(0);
    expect(await again.stop()).toBe(0);
  });

  test('the end of the journal cannot be read at a start (F11): there is no start and nothing is cut, and all is there once it can be', async () => {
    const { dataDir, ledger } = await copyOfBase();
    const log = await activeSegment(dataDir);
    const bytes = await readFile(log);
    const wrapper = ['strace', '-qq', ...injecting(UNREADABLE), '-P', log];
    await expect(startServer({ dataDir, flags: LEDGER_FLAGS, wrapper })).rejects.toThrow(
      /the device does not read bytes \d+ to \d+ \(EIO\)\. Entries up to \d+ .*nothing is cut off, and the server does not start\. Copy/,
    );
    expect((await readFile(log)).equals(bytes)).toBe(true);
    expect(await recover(dataDir, ledger)).toEqual([]);
  });
});

/** Every read fails as at a bad place of a disk. */
const UNREADABLE = 'pread64,preadv,read,readv:error=EIO:when=1+';
const LEDGER_TRAIL = `trail/${LEDGER_ACCOUNT}/us-east-1/main`;

/** What is said of a file that the device does not read. */
function deviceErrorOf(path: string): string {
  return ` cannot be read: ${path}: the device does not read bytes `;
}

/** Has a journal that nobody has open begin a new segment and seal the one before. Returns the sealed file. */
async function sealAll(folder: string): Promise<string> {
  const options = { folder, clock: createSystemClock(), chance: createSystemChance(), sealing: 'in-place' } as const;
  const journal = await openDiskJournal(options);
  const next = journal.head() + 1n;
  await journal.close();
  const [log, ...others] = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  expect(others).toEqual([]);
  // As it is left by a process that ends when it has made the file.
  await writeFile(join(folder, `${String(next).padStart(20, '0')}${log!.slice(20)}`), '');
  const again = await openDiskJournal(options);
  await again.whenSealed();
  await again.close();
  return join(folder, log!.replace(/log$/, 'sealed'));
}

/** The file that the journal appends to: the newest segment that is not sealed. */
async function activeSegment(dataDir: string): Promise<string> {
  return (await segments(dataDir)).at(-1)!;
}

async function oldestSegment(dataDir: string): Promise<string> {
  return (await segments(dataDir))[0]!;
}

/** Segments that are not sealed, oldest first. */
async function segments(dataDir: string): Promise<readonly string[]> {
  const folder = join(dataDir, 'journal');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
  if (names.length === 0) throw new Error(`the journal holds ${(await readdir(folder)).join(', ')}`);
  return names.map((name) => join(folder, name));
}

/** @returns the exit code, `null` when a signal ended the process, or `running` when it does not end in time. */
async function exitCodeWithin(limitMs: number, server: StartedServer): Promise<number | null | 'running'> {
  return await Promise.race([server.ended, sleep(limitMs, 'running' as const, { ref: false })]);
}
