/**
 * Damages journal files in every way that a disk or a person may, and looks whether it is noticed (F07, F08, F09), and
 * that what is not damaged can be read all the same.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ACCOUNT, newEvent } from '../../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { randomFrom, SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../../journal.ts';
import { type DiskJournalOptions, openDiskJournal } from './disk-journal.ts';

const FOLDER = '/journal';

async function openOver(files: SimulatedFiles, more: Partial<DiskJournalOptions> = {}) {
  const chance = seededChance('damage');
  return await openDiskJournal({ folder: FOLDER, files, clock: new ManualClock(0), chance, freshBytes: 0, sealing: 'in-place', ...more });
}

/** A closed journal: sealed segments of several blocks each and an active one, or a single log file. */
async function build(
  kind: 'sealed' | 'log',
  count = 60,
  segmentBytes = 25_000,
): Promise<{ readonly files: SimulatedFiles; readonly entries: readonly JournalEntry[] }> {
  const files = new SimulatedFiles({ seed: 1 });
  const journal = await openOver(files, kind === 'log' ? {} : { segmentBytes });
  const random = randomFrom(5);
  for (let index = 0; index < count / 2; index++) {
    const text = Array.from({ length: 300 }, () => Math.floor(random() * 1e9).toString(36)).join(' ');
    await journal.append([newEvent(`${2 * index}`, { text }), newEvent(`${2 * index + 1}`, { text: text.slice(0, 400) })]);
  }
  await journal.whenSealed();
  const entries = await journal.read(0n, 1_000);
  await journal.close();
  expect(entries.length).toBe(count);
  return { files, entries };
}

function filesOf(files: SimulatedFiles, kind: string): string[] {
  return files.paths().filter((path) => path.endsWith(`.${kind}`));
}

/** All of an entry as one text: two are equal when their texts are. */
function textOf(entry: JournalEntry): string {
  const { bytes, nonce, sequence, ...rest } = entry;
  const hex = [bytes, nonce].map((each) => Buffer.from(each).toString('hex'));
  return JSON.stringify([`${sequence}`, ...hex, rest]);
}

/** Reads what can be read, one by one. */
async function readEach(journal: Journal, entries: readonly JournalEntry[]): Promise<string[]> {
  return await Promise.all(
    entries.map(({ sequence }) =>
      journal.fetch([sequence]).then(
        ([entry]) => textOf(entry!),
        (error: unknown) => {
          if (error instanceof JournalDamaged) return 'damaged';
          throw error;
        },
      ),
    ),
  );
}

/**
 * Opens damaged files: every entry is the one that was written, or reported as damaged and thrown at. Returns the number
 * of entries that are lost.
 */
async function checkDamaged(files: SimulatedFiles, entries: readonly JournalEntry[], what: string): Promise<number> {
  const journal = await openOver(files, { sealing: 'never' });
  await journal.scrub();
  const found = await readEach(journal, entries);
  const isReported = (sequence: bigint) => journal.damage().some(({ from, to }) => from <= sequence && sequence <= to);
  let lost = 0;
  for (const [index, entry] of found.entries()) {
    const expected = entries[index]!;
    if (entry !== 'damaged') {
      expect(entry === textOf(expected), what).toBe(true);
      continue;
    }
    lost += 1;
    expect(isReported(expected.sequence), `${what}: ${expected.sequence} is gone without a word`).toBe(true);
  }
  await readInOrder(journal, found, what);
  await journal.close();
  return lost;
}

/** `read` gives everything up to the damage and throws exactly there; after it, reading goes on. */
async function readInOrder(journal: Journal, found: readonly string[], what: string): Promise<void> {
  for (let after = 0; after < Number(journal.head()); ) {
    const expected = found.slice(after);
    const good = expected.indexOf('damaged');
    if (good === 0) {
      await expect(journal.read(BigInt(after), 10), what).rejects.toThrow(JournalDamaged);
      after += 1;
      continue;
    }
    const read = await journal.read(BigInt(after), 10);
    const wanted = expected.slice(0, Math.min(10, good === -1 ? expected.length : good));
    expect(read.map(textOf).join() === wanted.join(), what).toBe(true);
    after += read.length;
  }
}

/** The same files again, to be damaged in another way. */
function copyOf(files: SimulatedFiles): SimulatedFiles {
  const copy = new SimulatedFiles({ seed: 2 });
  copy.adopt(files);
  return copy;
}

const flipAt = (position: number, bit: number) => (bytes: Buffer) => {
  bytes[position]! ^= 1 << bit;
  return bytes;
};

describe('a flipped bit', () => {
  test.each(['sealed', 'index', 'log'] as const)(
    'is found at 150 seeded places of a %s file (F08)',
    async (kind) => {
      const { files, entries } = await build(kind === 'log' ? 'log' : 'sealed');
      const random = randomFrom(kind.length);
      let lostSum = 0;
      for (let round = 0; round < 150; round++) {
        const paths = filesOf(files, kind);
        const path = paths[Math.floor(random() * paths.length)]!;
        const position = Math.floor(random() * files.bytesOf(path).length);
        const bit = Math.floor(random() * 8);
        const damaged = copyOf(files);
        damaged.tamper(path, flipAt(position, bit));
        const lost = await checkDamaged(damaged, entries, `${path}, byte ${position}, bit ${bit}`);
        // A lost index is made again from the segment.
        if (kind === 'index') expect(lost).toBe(0);
        lostSum += lost;
      }
      if (kind !== 'index') expect(lostSum).toBeGreaterThan(60);
    },
    120_000,
  );

  test('in a log file costs the one entry it lies in, and the journal takes more after it', async () => {
    const { files, entries } = await build('log');
    const [path] = filesOf(files, 'log');
    const position = files.bytesOf(path!).indexOf('"eventID":"30"');
    files.tamper(path!, flipAt(position, 0));
    const journal = await openOver(files);
    expect(journal.damage()).toMatchObject([{ from: 31n, to: 31n, reason: expect.stringContaining(path!) }]);
    expect((await journal.read(0n, 100)).length).toBe(30);
    await expect(journal.read(30n, 100)).rejects.toThrow(JournalDamaged);
    expect((await journal.read(31n, 100)).map(textOf)).toEqual(entries.slice(31).map(textOf));
    expect(await journal.append([newEvent('new')])).toEqual([{ kind: 'accepted', sequence: 61n, isConflicting: false }]);
    await journal.close();
    const again = await openOver(files);
    expect(again.damage()).toMatchObject([{ from: 31n, to: 31n }]);
    expect(again.head()).toBe(61n);
    await again.close();
  });

  test('in a full log file that waits to be sealed: that one stays, and those after it are sealed all the same', async () => {
    const files = new SimulatedFiles({ seed: 1 });
    const problems: Error[] = [];
    const journal = await openOver(files, { segmentBytes: 25_000, report: (problem) => void problems.push(problem) });
    const text = Array.from({ length: 1_000 }, (_, index) => (index * index).toString(36)).join(' ');
    for (let index = 0; index < 100; index++) {
      if (index === 3)
        files.tamper(filesOf(files, 'log')[0]!, flipAt(files.bytesOf(filesOf(files, 'log')[0]!).indexOf('"eventID":"1"'), 0));
      await journal.append([newEvent(`${index}`, { text })]);
      await journal.whenSealed();
    }
    expect(filesOf(files, 'log')).toHaveLength(2);
    expect(filesOf(files, 'sealed').length).toBeGreaterThan(5);
    expect([problems, journal.damage()]).toMatchObject([[], [{ from: 2n, to: 2n }]]);
    expect(await journal.append([newEvent('0', { text }), newEvent('50', { text })])).toMatchObject([
      { kind: 'repeated' },
      { kind: 'repeated' },
    ]);
    await journal.close();
  });

  test('a full log file that the device does not read is told once and rests for an hour, and those after it are sealed meanwhile (F11)', async () => {
    let unreadable: string | undefined;
    const files = new SimulatedFiles({
      seed: 1,
      fault: ({ name, path }) => (name === 'read' && path === unreadable ? 'EIO' : undefined),
    });
    const clock = new ManualClock(0);
    const problems: string[] = [];
    const journal = await openOver(files, { clock, segmentBytes: 25_000, report: ({ message }) => void problems.push(message) });
    const text = Array.from({ length: 1_000 }, (_, index) => (index * index).toString(36)).join(' ');
    const fill = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index++) {
        await journal.append([newEvent(`${index}`, { text })]);
        await journal.whenSealed();
      }
    };
    await fill(0, 3);
    [unreadable] = filesOf(files, 'log');
    await fill(3, 50);
    clock.pass(3_599_999);
    await fill(50, 100);
    expect(filesOf(files, 'log')).toEqual([unreadable, expect.any(String)]);
    clock.pass(1);
    await fill(100, 110);
    expect(problems).toEqual([expect.stringMatching(/\.log cannot be read \(EIO\)/)]);

    unreadable = undefined;
    clock.pass(3_600_000);
    await fill(110, 120);
    expect(filesOf(files, 'log')).toHaveLength(1);
    expect([problems.length, journal.damage(), (await journal.fetch([1n])).length]).toEqual([1, [], 1]);
    await journal.close();
  });

  test('in neighbours of a log file that is open is one range, whichever of them is read first', async () => {
    const files = new SimulatedFiles({ seed: 1 });
    const journal = await openOver(files);
    await journal.append(Array.from({ length: 20 }, (_, index) => newEvent(`${index}`)));
    const [path] = filesOf(files, 'log');
    for (const id of [4, 5, 6]) files.tamper(path!, flipAt(files.bytesOf(path!).indexOf(`"eventID":"${id}"`), 0));
    const reads = await Promise.allSettled([6n, 7n, 5n].map((sequence) => journal.fetch([sequence])));
    expect(reads.map((read) => read.status === 'rejected' && (read.reason as JournalDamaged).damage)).toMatchObject(
      Array.from({ length: 3 }, () => ({ from: 5n, to: 7n })),
    );
    expect(journal.damage()).toMatchObject([{ from: 5n, to: 7n }]);
    expect((await journal.read(7n, 100)).length).toBe(13);
    await journal.close();
  });

  test('in the last acknowledged entries is damage, not a torn end: nothing is cut', async () => {
    const { files } = await build('log');
    const [path] = filesOf(files, 'log');
    files.tamper(path!, flipAt(files.bytesOf(path!).indexOf('"eventID":"59"'), 0));
    const journal = await openOver(files);
    expect(journal.damage()).toMatchObject([{ from: 60n, to: 60n }]);
    expect(journal.head()).toBe(60n);
    await journal.close();
  });

  test('in an entry whose id comes again: that cannot be compared, and is accepted as conflicting', async () => {
    const { files } = await build('sealed');
    const [path] = filesOf(files, 'sealed');
    files.tamper(path!, flipAt(files.bytesOf(path!).length - 10, 0));
    const journal = await openOver(files);
    const [damage] = await journal.scrub();
    const id = `${Number(damage!.to) - 1}`;
    expect(await journal.append([newEvent(id)])).toEqual([{ kind: 'accepted', sequence: 61n, isConflicting: true }]);
    expect(await journal.find(ACCOUNT, id)).toBe(61n);
    await journal.close();
  });
});

describe('a page of 4 KiB', () => {
  const PAGE = 4_096;
  const changes: Record<string, (bytes: Buffer, page: number) => Buffer> = {
    'of zeros': (bytes, page) => bytes.fill(0, page * PAGE, (page + 1) * PAGE),
    'swapped with the next': (bytes, page) => {
      const first = Buffer.from(bytes.subarray(page * PAGE, (page + 1) * PAGE));
      bytes.copy(bytes, page * PAGE, (page + 1) * PAGE, (page + 2) * PAGE);
      first.copy(bytes, (page + 1) * PAGE);
      return bytes;
    },
    'with the content of an earlier one': (bytes, page) => {
      bytes.copy(bytes, page * PAGE, Math.max(0, page - 1) * PAGE, Math.max(0, page - 1) * PAGE + PAGE);
      return bytes;
    },
  };

  test.each(Object.keys(changes).flatMap((change) => (['sealed', 'log'] as const).map((kind) => [change, kind] as const)))(
    '%s in a %s file is found (F09)',
    async (change, kind) => {
      const { files, entries } = await build(kind, 120, 100_000);
      let lostSum = 0;
      for (const path of filesOf(files, kind)) {
        const pages = Math.floor(files.bytesOf(path).length / PAGE) - 1;
        for (let page = 0; page < pages; page++) {
          const damaged = copyOf(files);
          damaged.tamper(path, (bytes) => changes[change]!(bytes, page));
          lostSum += await checkDamaged(damaged, entries, `${path}, page ${page} ${change}`);
        }
      }
      expect(lostSum).toBeGreaterThan(0);
    },
    120_000,
  );
});

describe('the end of the log file', () => {
  test('cut by 1 to 4,096 bytes: the journal is the entries that are whole, and goes on (F07)', async () => {
    const { files, entries } = await build('log', 8);
    const [path] = filesOf(files, 'log');
    const size = files.bytesOf(path!).length;
    let last = entries.length;
    for (let cut = 1; cut <= 4_096; cut++) {
      const damaged = copyOf(files);
      damaged.tamper(path!, (bytes) => bytes.subarray(0, size - cut));
      const journal = await openOver(damaged);
      const head = Number(journal.head());
      expect(head).toBeLessThanOrEqual(last);
      expect(journal.damage()).toEqual([]);
      if (head < last || cut % 128 === 0) {
        expect((await journal.read(0n, 100)).map(textOf)).toEqual(entries.slice(0, head).map(textOf));
        expect(await journal.append([newEvent('new')])).toEqual([{ kind: 'accepted', sequence: BigInt(head) + 1n, isConflicting: false }]);
      }
      last = head;
      await journal.close();
    }
    expect(last).toBeLessThan(entries.length - 1);
  }, 120_000);

  test('overwritten with garbage: the group that nobody was promised is cut, whole frames in it included', async () => {
    const files = new SimulatedFiles({ seed: 1 });
    const journal = await openOver(files);
    await journal.append([newEvent('a')]);
    const [path] = filesOf(files, 'log');
    const before = files.bytesOf(path!).length;
    await journal.append([newEvent('b'), newEvent('c'), newEvent('d')]);
    await journal.close();
    // As after a power cut during the last write: its first frame is lost, and no mark says that it was durable.
    files.tamper(path!, (bytes) => {
      const end = bytes.length - 24;
      return bytes.fill(0, before + 30, before + 60).subarray(0, end);
    });
    const again = await openOver(files);
    expect(again.damage()).toEqual([]);
    expect((await again.read(0n, 10)).map(({ id }) => id)).toEqual(['a']);
    expect(await again.append([newEvent('e')])).toEqual([{ kind: 'accepted', sequence: 2n, isConflicting: false }]);
    await again.close();
  });

  test('an event whose bytes look like a frame is not taken for one when the frame around it is damaged', async () => {
    const files = new SimulatedFiles({ seed: 1 });
    const journal = await openOver(files);
    await journal.append([newEvent('a'), newEvent('victim')]);
    await journal.close();
    const [path] = filesOf(files, 'log');
    // A frame from a journal with another salt, as an attacker can make them.
    const others = new SimulatedFiles({ seed: 1 });
    const other = await openOver(others, { chance: seededChance('attacker') });
    await other.append(['1', '2', '3', '4', '5', '6'].map((id) => newEvent(id)));
    await other.close();
    const forged = others.bytesOf(filesOf(others, 'log')[0]!);
    const carrier = await openOver(files);
    await carrier.append([{ ...newEvent('carrier'), bytes: forged }]);
    await carrier.append([newEvent('z')]);
    await carrier.close();
    files.tamper(path!, (bytes) => bytes.fill(0xff, bytes.indexOf('carrier') - 20, bytes.indexOf('carrier')));
    const again = await openOver(files);
    expect(again.damage()).toMatchObject([{ from: 3n, to: 3n }]);
    expect((await again.fetch([1n, 2n, 4n])).map(({ id }) => id)).toEqual(['a', 'victim', 'z']);
    await again.close();
  });
});

describe('files that are gone', () => {
  test('an index is made again from its segment', async () => {
    const { files, entries } = await build('sealed');
    for (const path of filesOf(files, 'index')) await files.remove(path);
    const journal = await openOver(files);
    expect((await journal.read(0n, 100)).map(textOf)).toEqual(entries.map(textOf));
    expect(await journal.append([{ ...newEvent('0'), bytes: entries[0]!.bytes }])).toEqual([{ kind: 'repeated', sequence: 1n }]);
    await journal.close();
    expect(filesOf(files, 'index').length).toBe(filesOf(files, 'sealed').length);
  });

  test('an index that goes while the journal is open is made again when an id is looked for', async () => {
    const { files, entries } = await build('sealed');
    const journal = await openOver(files);
    for (const path of filesOf(files, 'index')) files.tamper(path, (bytes) => bytes.fill(0));
    expect(await journal.find(ACCOUNT, '0')).toBe(1n);
    expect(await journal.append([{ ...newEvent('1'), bytes: entries[1]!.bytes }])).toEqual([{ kind: 'repeated', sequence: 2n }]);
    await journal.close();
  });

  test('a segment that the device does not read ends no pass: what is damaged behind it is found, then the error is told', async () => {
    const { files } = await build('sealed');
    const [first, , third] = filesOf(files, 'sealed');
    const broken = new SimulatedFiles({
      seed: 2,
      fault: ({ name, path }) => (isBroken && name === 'read' && path === first ? 'EIO' : undefined),
    });
    let isBroken = false;
    broken.adopt(files);
    broken.tamper(third!, flipAt(broken.bytesOf(third!).length - 10, 0));
    const journal = await openOver(broken, { cacheBytes: 0 });
    isBroken = true;
    await expect(journal.scrub()).rejects.toMatchObject({ code: 'EIO' });
    expect(journal.damage()).toMatchObject([{ reason: expect.stringContaining(third!) }]);
    await journal.close();
  });

  test('a segment that is missing is damage of exactly its entries', async () => {
    const { files, entries } = await build('sealed');
    const second = filesOf(files, 'sealed')[1]!;
    const third = filesOf(files, 'sealed')[2]!;
    const firstOf = (path: string) => BigInt(path.split('/').at(-1)!.slice(0, 20));
    for (const path of files.paths()) if (firstOf(path) === firstOf(second)) await files.remove(path);
    const journal = await openOver(files);
    expect(journal.damage()).toMatchObject([{ from: firstOf(second), to: firstOf(third) - 1n }]);
    await expect(journal.fetch([firstOf(second)])).rejects.toThrow(JournalDamaged);
    const after = (await journal.read(firstOf(third) - 1n, 5)).map(textOf);
    expect(after).toEqual(entries.slice(Number(firstOf(third)) - 1, Number(firstOf(third)) + 4).map(textOf));
    expect(await journal.scrub()).toMatchObject([{ from: firstOf(second) }]);
    await journal.close();
  });

  test('files of another journal in the folder are refused', async () => {
    const { files } = await build('log');
    const [path] = filesOf(files, 'log');
    const other = join(FOLDER, '00000000000000000099-00000001.log');
    await (await files.open(other, 'create')).close();
    await expect(openOver(files)).rejects.toThrow(/two journals/);
    expect(files.paths()).toContain(path);
  });
});

test.each(['log', 'sealed', 'index'] as const)(
  'a newer format of a %s file is refused with a clear message, and nothing is changed',
  async (kind) => {
    const { crc32 } = await import('node:zlib');
    const { files } = await build(kind === 'log' ? 'log' : 'sealed');
    const path = filesOf(files, kind)[0]!;
    files.tamper(path, (bytes) => {
      bytes.writeUInt32LE(2, 8);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
      return bytes;
    });
    const before = files.paths().map((each) => files.bytesOf(each).toString('hex'));
    await expect(openOver(files)).rejects.toThrow(/has journal format 2, and this Snowtrail reads up to 1/);
    expect(files.paths().map((each) => files.bytesOf(each).toString('hex'))).toEqual(before);
  },
);
