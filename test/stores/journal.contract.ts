/**
 * What every implementation of `Journal` promises.
 */
import { describe, expect, test } from 'vitest';
import type { AccountId, Event, Region } from '../../src/event/types.ts';
import { type Journal, type JournalEntry, JournalFailed, JournalFull, type NewEvent, type NewFact } from '../../src/store/journal.ts';

export const ACCOUNT = '111122223333' as AccountId;
export const OTHER_ACCOUNT = '444455556666' as AccountId;
const REGION = 'eu-central-1' as Region;
const NOW_MS = Date.UTC(2025, 0, 2, 3, 4, 5, 678);

/** An event whose bytes follow from `id` and `text`. */
export function newEvent(id: string, options: { text?: string; account?: AccountId; receivedAtMs?: number } = {}): NewEvent {
  const { text = '', account = ACCOUNT, receivedAtMs = NOW_MS } = options;
  const bytes = new TextEncoder().encode(`{"eventVersion":"1.11","eventID":"${id}","eventName":"PutObject","text":"${text}"}`);
  return { kind: 'event', source: 'record', eventId: id, account, region: REGION, receivedAtMs, bytes };
}

export function newFact(id: string, text = ''): NewFact {
  const bytes = new TextEncoder().encode(`{"receipt":"${id}${text}"}`);
  return { kind: 'fact', factKind: 'delivery', factId: id, account: ACCOUNT, region: REGION, receivedAtMs: NOW_MS, bytes };
}

/** What an entry says, without what is random. */
export function plain(entry: JournalEntry) {
  const { nonce, bytes, event: _, ...rest } = entry;
  return { ...rest, nonceBytes: nonce.length, text: new TextDecoder().decode(bytes) };
}

/** A journal under test. */
export interface JournalRig {
  readonly journal: Journal;
  /** Closes it and opens what it left. Absent where nothing stays. */
  readonly reopen?: () => Promise<Journal>;
  /** Makes its disk full, broken, or (a full one) usable again. */
  readonly pretend: (state: 'ok' | 'full' | 'failed') => void;
  /** Fresh entries stay in memory, with their parsed events. */
  readonly keepsFresh: boolean;
}

/** @param open Makes a new, empty journal. */
export function describeJournal(name: string, open: () => Promise<JournalRig>): void {
  describe(`${name}: journal`, () => {
    test('sequences are dense from 1, and entries come back as they were given, events and facts alike', async () => {
      const { journal } = await open();
      expect(journal.head()).toBe(0n);
      expect(await journal.read(0n, 10)).toEqual([]);
      const given = [newEvent('a'), newFact('f'), { ...newEvent('b'), source: 'import' as const }];
      expect(await journal.append(given)).toEqual([
        { kind: 'accepted', sequence: 1n, isConflicting: false },
        { kind: 'accepted', sequence: 2n, isConflicting: false },
        { kind: 'accepted', sequence: 3n, isConflicting: false },
      ]);
      expect(journal.head()).toBe(3n);
      const common = { account: ACCOUNT, region: REGION, receivedAtMs: NOW_MS, isConflicting: false, nonceBytes: 16 };
      expect((await journal.read(0n, 10)).map(plain)).toEqual([
        { ...common, sequence: 1n, kind: 'event', source: 'record', id: 'a', text: text(given[0]!) },
        { ...common, sequence: 2n, kind: 'fact', source: 'fact', factKind: 'delivery', id: 'f', text: text(given[1]!) },
        { ...common, sequence: 3n, kind: 'event', source: 'import', id: 'b', text: text(given[2]!) },
      ]);
      await journal.close();
    });

    test('every kind of fact and source of event comes back as itself, also after a restart', async () => {
      const rig = await open();
      const facts = (['delivery', 'digest', 'gap', 'configuration', 'key', 'clock-jump', 'intake', 'loss', 'expiry'] as const).map(
        (factKind) => ({
          ...newFact(factKind),
          factKind,
        }),
      );
      const events = (['record', 'import', 'own-call'] as const).map((source) => ({ ...newEvent(source), source }));
      await rig.journal.append([...facts, ...events]);
      const journal = (await rig.reopen?.()) ?? rig.journal;
      const found = await journal.read(0n, 100);
      expect(found.map((entry) => entry.factKind ?? entry.source)).toEqual([
        ...facts.map(({ factKind }) => factKind),
        ...events.map(({ source }) => source),
      ]);
      await journal.close();
    });

    test('bytes are kept exactly: empty, every byte value, and ids of any characters', async () => {
      const rig = await open();
      const bytes = [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, index) => index), new Uint8Array(1_048_576).fill(0x61)];
      const ids = ['"eventID":"', 'ä🌨\n\u0000', 'x'.repeat(256)];
      await rig.journal.append(bytes.map((each, index) => ({ ...newEvent(ids[index]!), bytes: each })));
      const journal = (await rig.reopen?.()) ?? rig.journal;
      const found = await journal.read(0n, 10);
      expect(found.map(({ id }) => id)).toEqual(ids);
      for (const [index, each] of bytes.entries()) expect(Buffer.compare(found[index]!.bytes, each)).toBe(0);
      await journal.close();
    });

    test('what the caller does with its bytes after the append changes nothing', async () => {
      const { journal } = await open();
      const event = newEvent('a');
      const before = text(event);
      const appended = journal.append([event]);
      event.bytes.fill(0);
      await appended;
      event.bytes.fill(1);
      expect((await journal.read(0n, 1)).map((entry) => new TextDecoder().decode(entry.bytes))).toEqual([before]);
      await journal.close();
    });

    test('the parsed event is handed out while the entry is fresh, with the bytes of the entry', async () => {
      const { journal, keepsFresh } = await open();
      const event = newEvent('a');
      const parsed = { eventId: 'a', eventName: 'PutObject', bytes: event.bytes } as unknown as Event;
      await journal.append([{ ...event, event: parsed }]);
      const [entry] = await journal.read(0n, 1);
      expect(entry!.event).toEqual(keepsFresh ? parsed : undefined);
      if (keepsFresh) expect(entry!.event!.bytes).toBe(entry!.bytes);
      await journal.close();
    });

    test('an entry has 16 bytes of nonce, and no two have the same', async () => {
      const { journal } = await open();
      await journal.append([newEvent('a'), newEvent('b')]);
      await journal.append([newEvent('c')]);
      const nonces = (await journal.read(0n, 10)).map(({ nonce }) => Buffer.from(nonce).toString('hex'));
      expect(new Set(nonces).size).toBe(3);
      await journal.close();
    });

    test('appends keep the order of their calls, and their entries lie next to each other', async () => {
      const { journal } = await open();
      const batches = Array.from({ length: 50 }, (_, batch) =>
        Array.from({ length: 1 + (batch % 7) }, (_, index) => newEvent(`${batch}-${index}`)),
      );
      const verdicts = await Promise.all(batches.map((batch) => journal.append(batch)));
      const sequences = verdicts.flat().map(({ sequence }) => Number(sequence));
      expect(sequences).toEqual(sequences.map((_, index) => index + 1));
      const found = await journal.read(0n, 10_000);
      expect(found.map(({ id }) => id)).toEqual(batches.flat().map(({ eventId }) => eventId));
      await journal.close();
    });

    test('a read starts anywhere, is limited, and is empty at the end', async () => {
      const { journal } = await open();
      await journal.append(Array.from({ length: 25 }, (_, index) => newEvent(`${index + 1}`)));
      const read = async (after: bigint, limit: number) => (await journal.read(after, limit)).map(({ sequence }) => Number(sequence));
      expect(await read(0n, 3)).toEqual([1, 2, 3]);
      expect(await read(22n, 10)).toEqual([23, 24, 25]);
      expect(await read(25n, 10)).toEqual([]);
      expect(await read(99n, 10)).toEqual([]);
      await expect(journal.read(0n, 0)).rejects.toThrow(RangeError);
      await expect(journal.read(0n, 10_001)).rejects.toThrow(RangeError);
      await expect(journal.read(-1n, 1)).rejects.toThrow(RangeError);
      await journal.close();
    });

    test('a read gives at most 16 MiB, but always at least one entry', async () => {
      const { journal } = await open();
      const large = new Uint8Array(1_048_576).fill(0x20);
      for (let index = 0; index < 20; index++) await journal.append([{ ...newEvent(`${index}`), bytes: large }]);
      expect((await journal.read(0n, 100)).length).toBe(16);
      expect((await journal.read(16n, 100)).length).toBe(4);
      await journal.close();
    });

    test('entries are fetched in the order asked for', async () => {
      const { journal } = await open();
      await journal.append(Array.from({ length: 9 }, (_, index) => newEvent(`${index + 1}`)));
      expect((await journal.fetch([7n, 1n, 7n, 9n])).map(({ id }) => id)).toEqual(['7', '1', '7', '9']);
      await expect(journal.fetch([10n])).rejects.toThrow(RangeError);
      await expect(journal.fetch([0n])).rejects.toThrow(RangeError);
      await journal.close();
    });

    test('the same event again is a repeat of the first, in the same append, a later one, and after a restart', async () => {
      const rig = await open();
      expect(await rig.journal.append([newEvent('a'), newEvent('b'), newEvent('a')])).toEqual([
        { kind: 'accepted', sequence: 1n, isConflicting: false },
        { kind: 'accepted', sequence: 2n, isConflicting: false },
        { kind: 'repeated', sequence: 1n },
      ]);
      expect(await rig.journal.append([newEvent('b')])).toEqual([{ kind: 'repeated', sequence: 2n }]);
      const journal = (await rig.reopen?.()) ?? rig.journal;
      expect(await journal.append([newEvent('b'), newEvent('c')])).toEqual([
        { kind: 'repeated', sequence: 2n },
        { kind: 'accepted', sequence: 3n, isConflicting: false },
      ]);
      await journal.close();
    });

    test('a closing fact is made from the verdicts, lies behind the entries, and is in the same durable append', async () => {
      const rig = await open();
      await rig.journal.append([newEvent('a')]);
      const seen: unknown[] = [];
      const given = [newEvent('a'), newEvent('b')];
      const verdicts = await rig.journal.append(given, (each) => {
        seen.push(...each);
        return newFact('closing', each.map(({ kind }) => ` ${kind}`).join(''));
      });
      expect(verdicts).toEqual([
        { kind: 'repeated', sequence: 1n },
        { kind: 'accepted', sequence: 2n, isConflicting: false },
      ]);
      expect(seen).toEqual(verdicts);
      const journal = (await rig.reopen?.()) ?? rig.journal;
      const found = await journal.read(1n, 10);
      expect(found.map(({ id }) => id)).toEqual(['b', 'closing']);
      expect(text(found[1]!)).toBe('{"receipt":"closing repeated accepted"}');
      expect(await journal.find(ACCOUNT, 'closing')).toBe(3n);
      await journal.close();
    });

    test('a closing fact may come alone; one that cannot be made, or is too large, refuses the whole append', async () => {
      const { journal } = await open();
      expect(await journal.append([], () => newFact('alone'))).toEqual([]);
      const broken = journal.append([newEvent('a')], () => {
        throw new Error('no fact');
      });
      await expect(broken).rejects.toThrow('no fact');
      await expect(journal.append([newEvent('a')], () => newFact('f', 'x'.repeat(1_048_577)))).rejects.toThrow(RangeError);
      expect(journal.head()).toBe(1n);
      expect(await journal.append([newEvent('a')])).toEqual([{ kind: 'accepted', sequence: 2n, isConflicting: false }]);
      await journal.close();
    });

    test('appends with closing facts that are made at once do not mix', async () => {
      const { journal } = await open();
      await Promise.all(['a', 'b', 'c'].map((id) => journal.append([newEvent(`${id}1`), newEvent(`${id}2`)], () => newFact(id))));
      expect((await journal.read(0n, 10)).map(({ id }) => id)).toEqual(['a1', 'a2', 'a', 'b1', 'b2', 'b', 'c1', 'c2', 'c']);
      await journal.close();
    });

    test('the same id with other bytes is accepted and marked; a third like any of them is a repeat of that one', async () => {
      const rig = await open();
      await rig.journal.append([newEvent('a', { text: 'one' })]);
      expect(await rig.journal.append([newEvent('a', { text: 'two' }), newEvent('a', { text: 'three' })])).toEqual([
        { kind: 'accepted', sequence: 2n, isConflicting: true },
        { kind: 'accepted', sequence: 3n, isConflicting: true },
      ]);
      const journal = (await rig.reopen?.()) ?? rig.journal;
      expect(await journal.append(['three', 'one', 'two'].map((each) => newEvent('a', { text: each })))).toEqual([
        { kind: 'repeated', sequence: 3n },
        { kind: 'repeated', sequence: 1n },
        { kind: 'repeated', sequence: 2n },
      ]);
      expect((await journal.read(0n, 10)).map(({ isConflicting }) => isConflicting)).toEqual([false, true, true]);
      await journal.close();
    });

    test('an id is unique within its account, and event ids and fact ids do not meet', async () => {
      const { journal } = await open();
      const verdicts = await journal.append([newEvent('a'), newEvent('a', { account: OTHER_ACCOUNT }), newFact('a')]);
      expect(verdicts.map((verdict) => verdict.kind === 'accepted' && verdict.isConflicting)).toEqual([false, false, false]);
      expect(await journal.append([newFact('a'), newFact('a', ' other')])).toEqual([
        { kind: 'repeated', sequence: 3n },
        { kind: 'accepted', sequence: 4n, isConflicting: true },
      ]);
      await journal.close();
    });

    test('one batch sent by sixteen clients at once is accepted once (F41)', async () => {
      const { journal } = await open();
      const batch = Array.from({ length: 20 }, (_, index) => newEvent(`${index}`));
      const verdicts = await Promise.all(Array.from({ length: 16 }, () => journal.append(batch)));
      expect(journal.head()).toBe(20n);
      expect(verdicts.flat().filter(({ kind }) => kind === 'accepted').length).toBe(20);
      for (const each of verdicts) expect(each.map(({ sequence }) => Number(sequence))).toEqual(batch.map((_, index) => index + 1));
      await journal.close();
    });

    test('`find` gives the first entry of an id', async () => {
      const rig = await open();
      await rig.journal.append([newEvent('a', { text: 'one' }), newEvent('b'), newEvent('a', { text: 'two' }), newFact('f')]);
      const journal = (await rig.reopen?.()) ?? rig.journal;
      expect(await journal.find(ACCOUNT, 'a')).toBe(1n);
      expect(await journal.find(ACCOUNT, 'b')).toBe(2n);
      expect(await journal.find(ACCOUNT, 'f')).toBe(4n);
      expect(await journal.find(ACCOUNT, 'missing')).toBeUndefined();
      expect(await journal.find(OTHER_ACCOUNT, 'a')).toBeUndefined();
      await journal.close();
    });

    test('a waiting reader is woken by the next entry, or by its signal', async () => {
      const { journal } = await open();
      const never = new AbortController();
      const woken = journal.waitBeyond(0n, never.signal);
      await journal.append([newEvent('a')]);
      await woken;
      await journal.waitBeyond(0n, never.signal);
      const stop = new AbortController();
      const aborted = journal.waitBeyond(1n, stop.signal);
      stop.abort();
      await aborted;
      await journal.waitBeyond(1n, AbortSignal.abort());
      await journal.close();
    });

    test('limits are kept: number of entries, size, length of ids', async () => {
      const { journal } = await open();
      await expect(journal.append([])).rejects.toThrow(RangeError);
      await expect(journal.append(Array.from({ length: 10_001 }, (_, index) => newEvent(`${index}`)))).rejects.toThrow(RangeError);
      await expect(journal.append([{ ...newEvent('a'), bytes: new Uint8Array(1_048_577) }])).rejects.toThrow(RangeError);
      await expect(journal.append([newEvent('')])).rejects.toThrow(RangeError);
      await expect(journal.append([newEvent('x'.repeat(257))])).rejects.toThrow(RangeError);
      // Kept in whole milliseconds: a part of one would be in the leaf of a fresh entry, and not in that of a read one.
      await expect(journal.append([newEvent('a', { receivedAtMs: NOW_MS + 0.5 })])).rejects.toThrow(RangeError);
      expect(journal.head()).toBe(0n);
      await journal.close();
    });

    test('a full disk refuses for now: reads go on, and appends work again by themselves (P9)', async () => {
      const rig = await open();
      const { journal } = rig;
      await journal.append([newEvent('a')]);
      expect(journal.health()).toEqual({ state: 'ok' });
      rig.pretend('full');
      await expect(journal.append([newEvent('b')])).rejects.toThrow(JournalFull);
      const refused = await Promise.allSettled([journal.append([newEvent('c')]), journal.append([newEvent('c')])]);
      expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(journal.health()).toMatchObject({ state: 'full', reason: expect.any(String) });
      expect((await journal.read(0n, 10)).map(({ id }) => id)).toEqual(['a']);
      rig.pretend('ok');
      expect(await journal.append([newEvent('c'), newEvent('a')])).toEqual([
        { kind: 'accepted', sequence: 2n, isConflicting: false },
        { kind: 'repeated', sequence: 1n },
      ]);
      expect(journal.health()).toEqual({ state: 'ok' });
      await journal.close();
    });

    test('after the device failed, nothing is acknowledged any more; reads of what was durable go on (P7)', async () => {
      const rig = await open();
      const { journal } = rig;
      await journal.append([newEvent('a')]);
      rig.pretend('failed');
      await expect(journal.append([newEvent('b')])).rejects.toThrow(JournalFailed);
      rig.pretend('ok');
      await expect(journal.append([newEvent('c')])).rejects.toThrow(JournalFailed);
      expect(journal.health()).toMatchObject({ state: 'failed', reason: expect.any(String) });
      expect(journal.head()).toBe(1n);
      expect((await journal.read(0n, 10)).map(({ id }) => id)).toEqual(['a']);
      await journal.close();
    });

    test('a closed journal has finished the appends made before, and takes no more', async () => {
      const { journal } = await open();
      const appended = journal.append([newEvent('a')]);
      await journal.close();
      expect(await appended).toEqual([{ kind: 'accepted', sequence: 1n, isConflicting: false }]);
      await expect(journal.append([newEvent('b')])).rejects.toThrow(JournalFailed);
    });

    test('an undamaged journal has no damage', async () => {
      const { journal } = await open();
      await journal.append([newEvent('a'), newEvent('b')]);
      expect(journal.damage()).toEqual([]);
      expect(await journal.scrub()).toEqual([]);
      await journal.close();
    });
  });
}

function text(entry: { readonly bytes: Uint8Array }): string {
  return new TextDecoder().decode(entry.bytes);
}
