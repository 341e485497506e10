/**
 * Crashes the journal at every call it makes to its files, and compares what is found afterwards with what was promised
 * (F02, F03, F05, F06 over simulated files; the real ones are in test/faults).
 */
import { describe, expect, test } from 'vitest';
import { newEvent, newFact } from '../../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { type FaultKind, randomFrom, SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import type { Journal, JournalEntry, NewEntry } from '../../journal.ts';
import { type DiskJournalOptions, openDiskJournal } from './disk-journal.ts';

const FOLDER = '/journal';

/** What a client knows: the bytes it sent, and the answers it got. */
class Ledger {
  /** Text of what was sent, by id. */
  readonly sent = new Map<string, string>();
  /** Sequence of what was acknowledged, by id. */
  readonly acknowledged = new Map<string, bigint>();

  async append(journal: Journal, entries: readonly NewEntry[]): Promise<void> {
    for (const entry of entries) this.sent.set(idOf(entry), textOf(entry));
    const verdicts = await journal.append(entries);
    for (const [place, entry] of entries.entries()) this.acknowledged.set(idOf(entry), verdicts[place]!.sequence);
  }

  /** Everything acknowledged is there at its sequence, everything there was sent, once, without gaps. */
  async check(journal: Journal): Promise<void> {
    const found = await readAll(journal);
    expect(journal.damage()).toEqual([]);
    expect(found.map(({ sequence }) => Number(sequence))).toEqual(found.map((_, index) => index + 1));
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
    for (const entry of found) expect(textOf(entry)).toBe(this.sent.get(entry.id));
    for (const [id, sequence] of this.acknowledged) expect(found[Number(sequence) - 1]?.id).toBe(id);
  }
}

async function readAll(journal: Journal): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (;;) {
    const batch = await journal.read(BigInt(entries.length), 1_000);
    if (batch.length === 0) return entries;
    entries.push(...batch);
  }
}

function idOf(entry: NewEntry): string {
  return entry.kind === 'event' ? entry.eventId : entry.factId;
}

function textOf(entry: { readonly bytes: Uint8Array }): string {
  return Buffer.from(entry.bytes).toString();
}

async function openOver(files: SimulatedFiles, more: Partial<DiskJournalOptions> = {}) {
  const chance = seededChance('crash');
  return await openDiskJournal({ folder: FOLDER, files, clock: new ManualClock(0), chance, segmentBytes: 1_500, freshBytes: 0, ...more });
}

/** Batches of several sizes, sent by several clients: appends, rotations and seals. */
async function work(files: SimulatedFiles, ledger: Ledger, round: number, more: Partial<DiskJournalOptions> = {}): Promise<void> {
  const journal = await openOver(files, more);
  const client = async (name: number): Promise<void> => {
    for (let step = 0; step < 4; step++) {
      const batch = Array.from({ length: 1 + ((name + step) % 3) }, (_, index) => {
        const id = `${round}-${name}-${step}-${index}`;
        return index === 2 ? newFact(id) : newEvent(id, { text: 'x'.repeat((name * 97 + step * 41) % 200) });
      });
      await ledger.append(journal, batch);
    }
  };
  await Promise.all([client(0), client(1), client(2)]);
  await journal.whenSealed();
  await journal.close();
}

/** Lets a promise fail when the run was ended on purpose, and only then. */
async function untilTheEnd(files: SimulatedFiles, run: Promise<void>): Promise<void> {
  const outcome = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome !== undefined && !files.hasEnded) throw outcome;
}

function endAt(number: number, how: FaultKind, seed: number): SimulatedFiles {
  return new SimulatedFiles({ seed, fault: (call) => (call.number === number ? how : undefined) });
}

/** Crashes at call 1, 2, … until a run finishes; each time the next start must find what was promised. */
async function crashEverywhere(how: 'kill' | 'power-cut', seed: number, more: Partial<DiskJournalOptions> = {}): Promise<number> {
  for (let number = 1; ; number++) {
    const files = endAt(number, how, seed * 1_000 + number);
    const ledger = new Ledger();
    await untilTheEnd(files, work(files, ledger, 0, more));
    const isDone = !files.hasEnded;
    const after = files.restart();
    const journal = await openOver(after);
    await ledger.check(journal).catch((error: unknown) => {
      throw new Error(`${how} before call ${number}, seed ${seed}`, { cause: error });
    });
    await journal.whenSealed();
    await ledger.check(journal);
    // It goes on as before, also for those who send again what they got no answer for (F40).
    const again = [...ledger.sent].slice(0, 5).map(([id, text]) => sentAgain(id, text));
    await ledger.append(journal, [...again, newEvent('last')]);
    await ledger.check(journal);
    await journal.close();
    if (isDone) return number;
  }
}

function sentAgain(id: string, text: string): NewEntry {
  const isFact = text.startsWith('{"receipt"');
  return isFact ? newFact(id) : { ...newEvent(id), bytes: Buffer.from(text) };
}

describe('a journal that ends at any call', () => {
  test('killed before every call of a run, it finds all that was acknowledged, nothing else, nothing twice (F02)', async () => {
    const calls = await crashEverywhere('kill', 1);
    expect(calls).toBeGreaterThan(100);
  }, 120_000);

  test.each([1, 2, 3, 4])(
    'power cut before every call of a run, seed %i: the same (F05, F06)',
    async (seed) => {
      const calls = await crashEverywhere('power-cut', seed);
      expect(calls).toBeGreaterThan(100);
    },
    120_000,
  );

  test('a planted acknowledgement before the sync is noticed', async () => {
    await expect(crashEverywhere('power-cut', 1, { unsafeAcknowledgeBeforeSync: true })).rejects.toThrow(/power-cut before call/);
  }, 120_000);

  test.each(['kill', 'power-cut'] as const)(
    'recovery may end by %s at any call, three times in a row (F03)',
    async (how) => {
      const seed = 77;
      let covered = 0;
      // Files as a crash in the middle of everything left them.
      for (const first of [40, 80, 120]) {
        for (let number = 1; ; number++) {
          const random = randomFrom(seed + number);
          let files = endAt(first, 'power-cut', seed);
          const ledger = new Ledger();
          await untilTheEnd(files, work(files, ledger, 0));
          for (let again = 0; again < 3; again++) {
            const at = again === 0 ? number : 1 + Math.floor(random() * number);
            files = files.restart({ seed: seed + number + again, fault: (call) => (call.number === at ? how : undefined) });
            const start = openOver(files).then((journal) => journal.whenSealed().then(() => journal.close()));
            await untilTheEnd(files, start);
            if (again === 0 && !files.hasEnded) break;
          }
          const isDone = !files.hasEnded;
          const journal = await openOver(files.restart());
          await ledger.check(journal);
          await journal.close();
          covered += 1;
          if (isDone) break;
        }
      }
      expect(covered).toBeGreaterThan(30);
    },
    120_000,
  );

  test('runs that follow each other, each cut somewhere, keep everything that any of them acknowledged', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed);
      const ledger = new Ledger();
      let files = new SimulatedFiles({ seed });
      for (let round = 0; round < 6; round++) {
        const at = 1 + Math.floor(random() * 150);
        const how = random() < 0.5 ? 'kill' : 'power-cut';
        files = files.restart({ seed: seed * 10 + round, fault: (call) => (call.number === at ? how : undefined) });
        await untilTheEnd(files, work(files, ledger, round));
      }
      const journal = await openOver(files.restart());
      await ledger.check(journal).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
      await journal.close();
    }
  }, 120_000);
});

describe('a device that fails', () => {
  test('one error at any call: what is acknowledged is there after a restart, and after a failed sync nothing is acknowledged (F10)', async () => {
    for (let number = 1; ; number++) {
      let failed: string | undefined;
      const files = new SimulatedFiles({
        seed: number,
        fault: (call) => {
          if (call.number !== number) return undefined;
          failed = call.name;
          return 'EIO';
        },
      });
      const ledger = new Ledger();
      const outcome = await work(files, ledger, 0).then(
        () => 'done',
        (error: Error) => error.name,
      );
      // The page cache may show more than the disk has: after the restart the power goes, too.
      files.end('power-cut');
      const journal = await openOver(files.restart());
      await ledger.check(journal).catch((error: unknown) => {
        throw new Error(`EIO at call ${number} (${failed})`, { cause: error });
      });
      await journal.close();
      if (failed === undefined) {
        expect(number).toBeGreaterThan(100);
        expect(outcome).toBe('done');
        return;
      }
    }
  }, 120_000);

  test('entries that a failed sync left in the page cache are durable once a start has shown them', async () => {
    let syncs = 0;
    const files = new SimulatedFiles({ seed: 3, fault: (call) => (call.name === 'datasync' && ++syncs === 3 ? 'EIO' : undefined) });
    const journal = await openOver(files);
    await journal.append([newEvent('a')]);
    await expect(journal.append([newEvent('b')])).rejects.toThrow(/device failed/);
    expect(journal.health().state).toBe('failed');
    await journal.close();
    // The system believes that it has written these pages: only who writes them again gets them onto the disk.
    const restarted = files.restart({ forgetsFailedWrites: true });
    const again = await openOver(restarted);
    expect((await readAll(again)).map(({ id }) => id)).toEqual(['a', 'b']);
    restarted.end('power-cut');
    expect((await readAll(await openOver(restarted.restart()))).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test.each(['ENOSPC', 'EDQUOT', 'half-then-ENOSPC', 'EMFILE'] as const)(
    '%s at any write or open is a refusal that ends by itself (F13–F15)',
    async (code) => {
      for (let number = 1; ; number++) {
        let isHit = false;
        let count = 0;
        const files = new SimulatedFiles({
          seed: number,
          fault: (call) => {
            if (call.name !== (code === 'EMFILE' ? 'open' : 'write') || ++count !== number) return undefined;
            isHit = true;
            return code;
          },
        });
        const ledger = new Ledger();
        // A start needs its files: only what comes after is to go on by itself.
        const journal = await openOver(files, { reserveBytes: 0, report: () => {} });
        for (let step = 0; step < 12; step++) {
          const batch = [newEvent(`${step}`, { text: 'x'.repeat(150) }), newEvent(`${step}b`)];
          const send = () => ledger.append(journal, batch);
          await send().catch(async (error: Error) => {
            expect(error.name).toBe('JournalFull');
            expect(journal.health().state).toBe('full');
            await send();
          });
          expect(journal.health().state).toBe('ok');
        }
        await journal.whenSealed();
        await ledger.check(journal);
        await journal.close();
        files.end(number % 2 === 0 ? 'kill' : 'power-cut');
        const again = await openOver(files.restart());
        await ledger.check(again);
        expect(again.head()).toBe(24n);
        await again.close();
        if (!isHit) return;
      }
    },
    120_000,
  );

  test.each(['ENOSPC', 'half-then-ENOSPC'] as const)(
    'after %s at the beginning of a segment nothing more goes into the one before: a start would pass it over',
    async (code) => {
      let opened = 0;
      const files = new SimulatedFiles({
        seed: 1,
        fault: ({ name, path }) => {
          if (name === 'open' && path.endsWith('.log')) opened++;
          return name === 'write' && opened === 2 ? code : undefined;
        },
      });
      const ledger = new Ledger();
      const journal = await openOver(files, { reserveBytes: 0, report: () => {} });
      await ledger.append(journal, [newEvent('a', { text: 'x'.repeat(1_000) })]);
      await expect(ledger.append(journal, [newEvent('too large for the rest', { text: 'x'.repeat(1_000) })])).rejects.toThrow(
        /no new segment/,
      );
      opened = 3;
      await ledger.append(journal, [newEvent('small')]);
      files.end('kill');
      const again = await openOver(files.restart());
      await ledger.check(again);
      expect(again.head()).toBe(2n);
      await again.close();
    },
  );

  test('short writes at every write are completed', async () => {
    const files = new SimulatedFiles({
      seed: 1,
      fault: (call) => (call.name === 'write' && call.number % 2 === 0 ? 'short-write' : undefined),
    });
    const ledger = new Ledger();
    await work(files, ledger, 0);
    const journal = await openOver(files.restart());
    await ledger.check(journal);
    expect(ledger.acknowledged.size).toBe(ledger.sent.size);
  });

  test('a disk that fills up refuses, keeps what it has, and takes more when it is given space (F13, F14)', async () => {
    const files = new SimulatedFiles({ seed: 1, totalBytes: 9_000 });
    const journal = await openOver(files, { reserveBytes: 0, report: () => {} });
    const ledger = new Ledger();
    let refused = 0;
    for (let step = 0; step < 60; step++) {
      await ledger.append(journal, [newEvent(`${step}`, { text: `${step}`.repeat(50) })]).catch((error: Error) => {
        expect(error.name).toBe('JournalFull');
        refused += 1;
      });
    }
    expect(refused).toBeGreaterThan(0);
    expect(journal.head()).toBe(BigInt(ledger.acknowledged.size));
    await journal.whenSealed();
    await ledger.check(journal);
    files.setFreeBytes(1_000_000);
    await ledger.append(journal, [newEvent('after')]);
    await ledger.check(journal);
    await journal.close();
    const again = await openOver(files.restart());
    await ledger.check(again);
    await again.close();
  });

  test('readiness comes back without an append once there is space', async () => {
    const clock = new ManualClock(0);
    const files = new SimulatedFiles({ seed: 1 });
    files.setFreeBytes(500);
    const journal = await openOver(files, { clock, reserveBytes: 1_000 });
    await expect(journal.append([newEvent('a')])).rejects.toThrow(/reserve/);
    expect(journal.health().state).toBe('full');
    files.setFreeBytes(100_000);
    clock.pass(1_000);
    journal.health();
    await new Promise((resolve) => setImmediate(resolve));
    expect(journal.health()).toEqual({ state: 'ok' });
    await journal.close();
  });
});
