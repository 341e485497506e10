/**
 * The journal in memory: the reference of the contract, and the store of tests that need no disk.
 *
 * Every entry is durable at once. `pretend` makes it refuse as a full or a broken disk does, `pretendDamage` what a damaged
 * one does.
 */
import type { AccountId } from '../../event/types.ts';
import type { Chance, Clock } from '../clock.ts';
import {
  type AppendVerdict,
  type Journal,
  type JournalDamage,
  JournalDamaged,
  type JournalEntry,
  JournalFailed,
  JournalFull,
  type NewEntry,
} from '../journal.ts';

export interface MemoryJournal extends Journal {
  /** What the disk of this journal is like from now on. `failed` stays, as it does on a real one. */
  pretend(state: 'ok' | 'full' | 'failed'): void;
  /** Ranges that cannot be read from now on; those of before can be again. */
  pretendDamage(...ranges: readonly JournalDamage[]): void;
}

const READ_BYTES_MAX = 16 * 1_048_576;
const ENTRY_BYTES_MAX = 1_048_576;

export function createMemoryJournal(options: { readonly clock: Clock; readonly chance: Chance }): MemoryJournal {
  const entries: JournalEntry[] = [];
  /** Places of all entries that have one id, oldest first. */
  const placesOfId = new Map<string, number[]>();
  let state: 'ok' | 'full' | 'failed' = 'ok';
  let isClosed = false;
  let damages: readonly JournalDamage[] = [];
  let beyond: { readonly after: bigint; readonly resolve: () => void }[] = [];

  const head = (): bigint => BigInt(entries.length);

  const decide = (entry: NewEntry): AppendVerdict => {
    const id = entry.kind === 'event' ? entry.eventId : entry.factId;
    const key = idKey(entry.kind, entry.account, id);
    const places = placesOfId.get(key) ?? [];
    const same = places.find((place) => Buffer.compare(entries[place]!.bytes, entry.bytes) === 0);
    if (same !== undefined) return { kind: 'repeated', sequence: BigInt(same + 1) };
    const isConflicting = places.length > 0;
    placesOfId.set(key, [...places, entries.length]);
    entries.push(newEntry(entry, { sequence: head() + 1n, id, isConflicting, nonce: Uint8Array.from(options.chance.bytes(16)) }));
    return { kind: 'accepted', sequence: head(), isConflicting };
  };

  /** Nothing of a refused append stays. */
  const takeBackAfter = (count: number): void => {
    entries.length = count;
    for (const [id, places] of placesOfId)
      placesOfId.set(
        id,
        places.filter((place) => place < count),
      );
  };

  const at = (sequence: bigint): JournalEntry => {
    const entry = entries[Number(sequence) - 1];
    if (entry === undefined) throw new RangeError(`the journal has no entry \`${sequence}\`: it ends at ${head()}`);
    return entry;
  };

  const requireWhole = (sequence: bigint): void => {
    const damage = damages.find(({ from, to }) => from <= sequence && sequence <= to);
    if (damage !== undefined) throw new JournalDamaged(damage);
  };

  return {
    async append(added, closing) {
      if (isClosed) throw new JournalFailed('the journal is closed');
      checkEntries(added, closing !== undefined);
      if (state === 'failed') throw new JournalFailed("the journal's device failed");
      if (state === 'full') throw new JournalFull('the disk reserve is reached');
      const before = entries.length;
      const verdicts = added.map(decide);
      try {
        if (closing !== undefined) {
          const fact = closing(verdicts);
          checkEntries([fact], false);
          decide(fact);
        }
      } catch (error) {
        takeBackAfter(before);
        throw error;
      }
      const reached = beyond.filter(({ after }) => after < head());
      beyond = beyond.filter(({ after }) => after >= head());
      for (const { resolve } of reached) resolve();
      return verdicts;
    },
    async read(after, limit) {
      if (!(limit >= 1 && limit <= 10_000)) throw new RangeError(`limit \`${limit}\` is not from 1 to 10000`);
      if (after < 0n) throw new RangeError(`\`${after}\` is not a sequence`);
      const found: JournalEntry[] = [];
      let bytes = 0;
      for (const entry of entries.slice(Number(after), Number(after) + limit)) {
        if (found.length === 0) requireWhole(entry.sequence);
        else if (damages.some(({ from }) => from === entry.sequence)) break;
        bytes += entry.bytes.length;
        if (bytes > READ_BYTES_MAX && found.length > 0) break;
        found.push(entry);
      }
      return found;
    },
    async fetch(sequences) {
      return sequences.map((sequence) => {
        const entry = at(sequence);
        requireWhole(sequence);
        return entry;
      });
    },
    head,
    async find(account: AccountId, id: string) {
      const firsts = (['event', 'fact'] as const).map((kind) => placesOfId.get(idKey(kind, account, id))?.[0]);
      const places = firsts.filter((place) => place !== undefined);
      return places.length === 0 ? undefined : BigInt(Math.min(...places) + 1);
    },
    async waitBeyond(after, signal) {
      if (signal.aborted || head() > after) return;
      await new Promise<void>((resolve) => {
        const stop = (): void => {
          beyond = beyond.filter((each) => each !== waiter);
          resolve();
        };
        const waiter = {
          after,
          resolve: () => {
            signal.removeEventListener('abort', stop);
            resolve();
          },
        };
        beyond.push(waiter);
        signal.addEventListener('abort', stop, { once: true });
      });
    },
    damage: () => damages,
    scrub: async () => damages,
    health: () => (state === 'ok' ? { state } : { state, reason: `the journal pretends to be ${state}` }),
    async close() {
      isClosed = true;
    },
    pretend(wanted) {
      if (state !== 'failed') state = wanted;
    },
    pretendDamage(...ranges) {
      damages = ranges;
    },
  };
}

function idKey(kind: 'event' | 'fact', account: string, id: string): string {
  return `${kind}/${account}/${id}`;
}

function newEntry(entry: NewEntry, given: Pick<JournalEntry, 'sequence' | 'id' | 'isConflicting' | 'nonce'>): JournalEntry {
  // A copy, as on a disk: what the caller does with its bytes later changes nothing.
  const bytes = Uint8Array.from(entry.bytes);
  const common = { ...given, account: entry.account, region: entry.region, receivedAtMs: entry.receivedAtMs, bytes };
  if (entry.kind === 'fact') return { ...common, kind: 'fact', source: 'fact', factKind: entry.factKind };
  const event = entry.event === undefined ? {} : { event: { ...entry.event, bytes } };
  return { ...common, kind: 'event', source: entry.source, ...event };
}

function checkEntries(entries: readonly NewEntry[], mayBeEmpty: boolean): void {
  if ((entries.length < 1 && !mayBeEmpty) || entries.length > 10_000) throw new RangeError(`${entries.length} entries are not 1 to 10000`);
  for (const entry of entries) {
    const id = entry.kind === 'event' ? entry.eventId : entry.factId;
    if (entry.bytes.length > ENTRY_BYTES_MAX)
      throw new RangeError(`an entry of ${entry.bytes.length} bytes is larger than ${ENTRY_BYTES_MAX}`);
    if (id.length < 1 || id.length > 256) throw new RangeError(`an id of ${id.length} characters is not 1 to 256`);
    const { receivedAtMs } = entry;
    if (!(Number.isInteger(receivedAtMs) && receivedAtMs >= 0 && receivedAtMs < 2 ** 48))
      throw new RangeError(`time of receipt \`${receivedAtMs}\` is not kept`);
  }
}
