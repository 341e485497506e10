/**
 * Damages journal files in every way that a disk or a person may, and looks whether it is noticed (F07, F08, F09), and
 * that what is not damaged can be read all the same.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ACCOUNT, newEvent } from '../../../../test/stores/journal.contract.ts';
import { seededChance } from '../../../../test/support/manual-clock.ts';
import { randomFrom, SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../../journal.ts';
import { type DiskJournalOptions, openDiskJournal } from './disk-journal.ts';

const FOLDER = '/journal';

async function openOver(files: SimulatedFiles, more: Partial<DiskJournalOptions> = {}) {
  const chance = seededChance('damage');
  return await openDiskJournal({ folder: FOLDER, files, clock: sleepingClock(), chance, freshBytes: 0, sealing: 'in-place', ...more });
}

/** A closed journal: sealed segments of several blocks each and an active one, or log files, or a single one. */
async function build(
  kind: 'sealed' | 'logs' | 'log',
  count = 60,
  segmentBytes = 25_000,
): Promise<{ readonly files: SimulatedFiles; readonly entries: readonly JournalEntry[] }> {
  const files = new SimulatedFiles({ seed: 1 });
  const journal = await openOver(files, { ...(kind === 'log' ? {} : { segmentBytes }), ...(kind === 'logs' ? { sealing: 'never' } : {}) });
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
    expect(journal.damage()).toMatchObject([{ from: 31n, to: 31n, file: path!, reason: expect.any(String) }]);
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

  test('in a log file that was sealed and not removed yet: it stays, unless all of the sealed one can be read', async () => {
    const { files: logs, entries } = await build('logs');
    const sealedFiles = copyOf(logs);
    const sealing = await openOver(sealedFiles);
    await sealing.whenSealed();
    await sealing.close();
    const [log] = filesOf(logs, 'log');
    const [sealed] = filesOf(sealedFiles, 'sealed');
    const [index] = filesOf(sealedFiles, 'index');
    // As a process leaves them that ends before the log file is removed.
    const both = copyOf(sealedFiles);
    await (await both.open(log!, 'create')).close();
    both.tamper(log!, () => logs.bytesOf(log!));
    both.tamper(log!, flipAt(both.bytesOf(log!).indexOf('"eventID":"1"'), 0));
    const whole = copyOf(both);
    expect(await checkDamaged(whole, entries, 'only the log file is damaged')).toBe(0);
    expect(filesOf(whole, 'log')).not.toContain(log);

    both.tamper(sealed!, flipAt(both.bytesOf(sealed!).length - 10, 0));
    expect(await checkDamaged(both, entries, 'both are damaged')).toBe(1);
    expect(both.paths()).toEqual(expect.arrayContaining([log, sealed, index]));
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

/** Tells time that passes only while somebody sleeps. */
function sleepingClock() {
  let nowMs = 0;
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms;
  };
  return { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep };
}

/** A copy of files whose device gives an error at reads that meet a bad byte, while there are any. */
function onBadDevice(files: SimulatedFiles, code: 'EIO' | 'EMFILE' = 'EIO') {
  const bad = new Map<string, readonly [from: number, to: number]>();
  const device = new SimulatedFiles({
    seed: 2,
    fault: ({ name, path, position = 0, bytes = 0 }) => {
      const [from, to] = bad.get(path) ?? [0, 0];
      return name === 'read' && position < to && from < position + bytes ? code : undefined;
    },
  });
  device.adopt(files);
  return { device, bad };
}

describe('bytes that the device does not read (F11)', () => {
  const ALL = [0, Number.POSITIVE_INFINITY] as const;

  test.each(['sealed', 'log'] as const)(
    'of a %s file are damage of exactly the entries that lie there, with file, place and error; put back, all is read at the next start',
    async (kind) => {
      const { files, entries } = await build(kind);
      const { device, bad } = onBadDevice(files);
      const [path] = filesOf(files, kind);
      const size = device.bytesOf(path!).length;
      // A sealed file begins with a dictionary, which the index holds as well.
      const at = kind === 'log' ? size >> 1 : size - 1_000;
      bad.set(path!, [at, at + 1]);
      const lost = await checkDamaged(device, entries, kind);
      expect(lost).toBeGreaterThan(0);
      expect(lost).toBeLessThan(20);
      const clock = sleepingClock();
      const journal = await openOver(device, { clock });
      await journal.scrub();
      expect(journal.damage()).toEqual([{ from: expect.any(BigInt), to: expect.any(BigInt), file: path!, reason: expect.any(String) }]);
      expect(journal.damage()[0]!.reason).toMatch(/the device does not read bytes \d+ to \d+ \(EIO\)/);
      expect(clock.nowMs()).toBeLessThanOrEqual(5_000);
      await journal.close();

      bad.clear();
      expect(await checkDamaged(device, entries, 'put back')).toBe(0);
    },
  );

  test.each(['sealed', 'logs'] as const)('of all %s but the last take no more than some seconds of a start', async (kind) => {
    const { files, entries } = await build(kind);
    const { device, bad } = onBadDevice(files);
    for (const path of files.paths().slice(0, -1)) bad.set(path, ALL);
    const clock = sleepingClock();
    const journal = await openOver(device, { clock, sealing: 'never' });
    expect(clock.nowMs()).toBeGreaterThan(0);
    expect(clock.nowMs()).toBeLessThanOrEqual(6_000);
    const found = await readEach(journal, entries);
    const last = entries.findIndex((_, index) => found[index] !== 'damaged');
    expect(last).toBeGreaterThan(entries.length / 2);
    expect(found.slice(last)).toEqual(entries.slice(last).map(textOf));
    expect(journal.damage().map(({ reason }) => reason)).toEqual(journal.damage().map(() => expect.stringContaining('(EIO)')));
    await journal.close();
  });

  test('of a segment whose blocks are read one after the other hold up the reader for no more than some seconds', async () => {
    const { files, entries } = await build('sealed', 400, 300_000);
    const { device, bad } = onBadDevice(files);
    const clock = sleepingClock();
    const journal = await openOver(device, { clock });
    const [path] = filesOf(files, 'sealed');
    bad.set(path!, ALL);
    const found: string[] = [];
    for (const entry of entries) found.push(...(await readEach(journal, [entry])));
    expect(clock.nowMs()).toBeLessThanOrEqual(6_000);
    const inFile = journal.damage().map(({ file }) => file);
    expect(inFile.length).toBeGreaterThan(10);
    expect(inFile).toEqual(inFile.map(() => path!));
    const lost = found.filter((entry) => entry === 'damaged').length;
    expect(journal.damage()).toMatchObject([{ from: 1n }, ...Array.from({ length: inFile.length - 1 }, () => ({}))]);
    expect(journal.damage().at(-1)).toMatchObject({ to: BigInt(lost) });
    await journal.close();
  });

  test('in two places are damage of what lies there, also where the device takes longer to say so than it is waited for', async () => {
    const { files, entries } = await build('log');
    const [path] = filesOf(files, 'log');
    const size = files.bytesOf(path!).length;
    const clock = sleepingClock();
    const device = new SimulatedFiles({
      seed: 2,
      fault: ({ name, position = 0, bytes = 0 }) => {
        const isBad = name === 'read' && [size >> 2, size >> 1].some((at) => position <= at && at < position + bytes);
        if (isBad) void clock.sleep(7_000);
        return isBad ? 'EIO' : undefined;
      },
    });
    device.adopt(files);
    const journal = await openOver(device, { clock });
    const found = await readEach(journal, entries);
    expect(journal.damage()).toHaveLength(2);
    expect(found.filter((entry) => entry === 'damaged').length).toBeLessThan(20);
    expect(found.at(-1)).toBe(textOf(entries.at(-1)!));
    await journal.close();
  });

  test('and then does again, within a second, are no damage', async () => {
    for (const kind of ['sealed', 'log'] as const) {
      const { files, entries } = await build(kind);
      const { device, bad } = onBadDevice(files);
      let sleeps = 0;
      const clock = {
        ...sleepingClock(),
        sleep: async () => {
          sleeps += 1;
          if (sleeps % 2 === 0) bad.clear();
        },
      };
      const journal = await openOver(device, { clock, cacheBytes: 0 });
      for (const look of [() => journal.read(0n, 1_000), () => journal.scrub()]) {
        for (const path of filesOf(files, kind)) bad.set(path, ALL);
        await look();
        expect(bad.size).toBe(0);
      }
      expect(journal.damage()).toEqual([]);
      expect((await journal.read(0n, 1_000)).map(textOf)).toEqual(entries.map(textOf));
      await journal.close();
    }
  });

  test('of an index are made again from its segment', async () => {
    const { files, entries } = await build('sealed');
    const { device, bad } = onBadDevice(files);
    const indexes = filesOf(files, 'index');
    for (const path of indexes) bad.set(path, ALL);
    const journal = await openOver(device, { clock: sleepingClock() });
    bad.clear();
    expect((await journal.read(0n, 1_000)).map(textOf)).toEqual(entries.map(textOf));
    expect(await journal.append([{ ...newEvent('0'), bytes: entries[0]!.bytes }])).toEqual([{ kind: 'repeated', sequence: 1n }]);
    expect(journal.damage()).toEqual([]);
    await journal.close();
  });

  test('are told apart from a lack of descriptors or memory, which is a failure that may be tried again', async () => {
    const { files, entries } = await build('sealed');
    const { device, bad } = onBadDevice(files, 'EMFILE');
    const journal = await openOver(device, { clock: sleepingClock(), cacheBytes: 0 });
    bad.set(filesOf(files, 'sealed')[0]!, ALL);
    await expect(journal.read(0n, 10)).rejects.toMatchObject({ code: 'EMFILE' });
    await expect(journal.scrub()).rejects.toMatchObject({ code: 'EMFILE' });
    expect(journal.damage()).toEqual([]);
    bad.clear();
    expect((await journal.read(0n, 10)).map(textOf)).toEqual(entries.slice(0, 10).map(textOf));
    await journal.close();
  });

  test('behind the last mark of the last log file stop the start: nothing is cut, and all is there once they can be read', async () => {
    const { files, entries } = await build('log');
    const [path] = filesOf(files, 'log');
    const bytes = files.bytesOf(path!);
    for (const from of [bytes.length - 1, bytes.lastIndexOf('"eventID":"59"'), 0]) {
      const { device, bad } = onBadDevice(files);
      bad.set(path!, [from, bytes.length]);
      await expect(openOver(device, { clock: sleepingClock() })).rejects.toThrow(
        /\.log`: the device does not read bytes \d+ to \d+ \(EIO\)\. Entries up to \d+ are known .* nothing is cut off, and the server does not start\. Copy/,
      );
      expect(device.bytesOf(path!).equals(bytes)).toBe(true);
      bad.clear();
      expect(await checkDamaged(device, entries, 'put back')).toBe(0);
    }
  });

  test('of the file that is written to leave what is appended afterwards as it is', async () => {
    const { files, entries } = await build('log');
    const { device, bad } = onBadDevice(files);
    const [path] = filesOf(files, 'log');
    const journal = await openOver(device, { clock: sleepingClock() });
    bad.set(path!, [100, 101]);
    await expect(journal.read(0n, 10)).rejects.toThrow(JournalDamaged);
    const after = journal.damage().at(-1)!.to;
    expect((await journal.read(after, 100)).map(textOf)).toEqual(entries.slice(Number(after)).map(textOf));
    expect(await journal.append([newEvent('more')])).toMatchObject([{ kind: 'accepted', sequence: 61n }]);
    expect((await journal.fetch([61n]))[0]!.id).toBe('more');
    await journal.close();
  });

  test('of a full log file keep it from being compressed; those after it are, and it is as well once it can be read', async () => {
    const { files } = await build('log', 0);
    const { device, bad } = onBadDevice(files);
    const problems: string[] = [];
    const options = { clock: sleepingClock(), segmentBytes: 25_000, report: ({ message }: Error) => void problems.push(message) };
    const text = Array.from({ length: 1_000 }, (_, index) => (index * index).toString(36)).join(' ');
    const journal = await openOver(device, options);
    const fill = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index++) {
        await journal.append([newEvent(`${index}`, { text })]);
        await journal.whenSealed();
      }
    };
    await fill(0, 3);
    const [unreadable] = filesOf(device, 'log');
    bad.set(unreadable!, ALL);
    await fill(3, 50);
    expect(filesOf(device, 'log')).toEqual([unreadable, expect.any(String)]);
    expect(filesOf(device, 'sealed').length).toBeGreaterThan(2);
    expect(journal.damage()).toMatchObject([{ from: 1n, reason: expect.stringMatching(/EIO/) }]);
    await journal.close();

    bad.clear();
    const again = await openOver(device, options);
    await again.whenSealed();
    expect(filesOf(device, 'log')).toHaveLength(1);
    expect([problems, again.damage(), (await again.fetch([1n])).length]).toEqual([[], [], 1]);
    await again.close();
  });

  test('end no pass over the journal: what is damaged behind them is found as well', async () => {
    const { files } = await build('sealed');
    const [first, , third] = filesOf(files, 'sealed');
    const { device, bad } = onBadDevice(files);
    device.tamper(third!, flipAt(device.bytesOf(third!).length - 10, 0));
    const journal = await openOver(device, { clock: sleepingClock(), cacheBytes: 0 });
    bad.set(first!, ALL);
    const found = await journal.scrub();
    expect(found.at(-1)!.file).toBe(third!);
    expect(journal.damage()).toEqual(found);
    expect(new Set(found.slice(0, -1).map(({ file }) => file))).toEqual(new Set([first]));
    await journal.close();
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

  test('an index that is made again without a damaged block is asked for each id that is left, whatever was read of the one before', async () => {
    const { files, entries } = await build('sealed', 1_000, 1_200_000);
    const [sealed] = filesOf(files, 'sealed');
    const [index] = filesOf(files, 'index');
    const journal = await openOver(files);
    for (const id of ['5', '6', '7', '8']) expect(await journal.find(ACCOUNT, id)).toBeGreaterThan(0n);
    files.tamper(index!, (bytes) => bytes.fill(0));
    files.tamper(sealed!, flipAt(files.bytesOf(sealed!).length >> 1, 0));
    const missing: bigint[] = [];
    for (const { sequence, id } of entries) if ((await journal.find(ACCOUNT, id)) !== sequence) missing.push(sequence);
    const isDamaged = (sequence: bigint) => journal.damage().some(({ from, to }) => from <= sequence && sequence <= to);
    await journal.scrub();
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.filter((sequence) => !isDamaged(sequence))).toEqual([]);
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
