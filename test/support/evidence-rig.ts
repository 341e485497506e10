/**
 * The stores that the evidence feature stands on, as lists that a test may cut, replace and make fail.
 *
 * They keep only the promises that the evidence relies on; what a real store does more is tested with the store.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Call } from '../../src/api/operation.ts';
import type { AccountId, Region } from '../../src/event/types.ts';
import { createTreeFollower, type TreeFollower } from '../../src/evidence/grow-tree.ts';
import { type Catalog, CatalogConflict, type CatalogDocument } from '../../src/store/catalog.ts';
import { type AppendVerdict, type Journal, type JournalEntry, JournalFull, type NewEntry } from '../../src/store/journal.ts';
import type { Keys } from '../../src/store/keys.ts';
import { createMemoryKeys } from '../../src/store/memory/keys.ts';
import { createMemoryTreeHashes, type MemoryTreeHashes } from '../../src/store/memory/tree-hashes.ts';
import { hashNode, type Sha256 } from '../../src/tlog/hash.ts';
import { ManualClock, seededChance } from './manual-clock.ts';

export const ORIGIN = 'snowtrail/test';
export const ACCOUNT = '123837392027' as AccountId;
export const OTHER_ACCOUNT = '000000000001' as AccountId;
export const REGION = 'eu-central-1' as Region;
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const sha256: Sha256 = (bytes) => new Uint8Array(hash('sha256', bytes, 'buffer'));

class ListJournal implements Pick<Journal, 'append' | 'head' | 'fetch' | 'find' | 'health'> {
  entries: JournalEntry[] = [];
  isFull = false;

  async append(entries: readonly NewEntry[]): Promise<readonly AppendVerdict[]> {
    if (this.isFull) throw new JournalFull('the disk reserve is reached');
    return Promise.all(entries.map((entry) => this.#appendOne(entry)));
  }

  async #appendOne(entry: NewEntry): Promise<AppendVerdict> {
    const id = entry.kind === 'event' ? entry.eventId : entry.factId;
    const repeated = await this.find(entry.account, id);
    if (repeated !== undefined) return { kind: 'repeated', sequence: repeated };
    const sequence = BigInt(this.entries.length + 1);
    const { account, region, receivedAtMs, bytes } = entry;
    const kind =
      entry.kind === 'event'
        ? { kind: entry.kind, source: entry.source }
        : { kind: entry.kind, source: 'fact' as const, factKind: entry.factKind };
    this.entries.push({ ...kind, sequence, account, region, id, receivedAtMs, isConflicting: false, nonce: randomBytes(16), bytes });
    return { kind: 'accepted', sequence, isConflicting: false };
  }

  head(): bigint {
    return BigInt(this.entries.length);
  }

  async fetch(sequences: readonly bigint[]): Promise<readonly JournalEntry[]> {
    return sequences.map((sequence) => this.entries[Number(sequence) - 1]!);
  }

  async find(account: AccountId, id: string): Promise<bigint | undefined> {
    return this.entries.find((entry) => entry.account === account && entry.id === id)?.sequence;
  }

  health(): ReturnType<Journal['health']> {
    return this.isFull ? { state: 'full', reason: 'the disk reserve is reached' } : { state: 'ok' };
  }
}

class ListCatalog implements Pick<Catalog, 'get' | 'commit'> {
  documents = new Map<string, CatalogDocument<unknown>>();
  /** How the next commit fails: before it took effect, or after. */
  nextFailure: 'before' | 'after' | undefined;

  async get<T>(key: readonly string[]): Promise<CatalogDocument<T> | undefined> {
    return this.documents.get(JSON.stringify(key)) as CatalogDocument<T> | undefined;
  }

  async commit(changes: Parameters<Catalog['commit']>[0]): Promise<void> {
    const failure = this.nextFailure;
    this.nextFailure = undefined;
    if (failure === 'before') throw new Error('the catalog failed before the commit');
    for (const { key, value, expected } of changes) {
      const found = this.documents.get(JSON.stringify(key))?.version ?? 0;
      if (expected !== 'any' && expected !== found) throw new CatalogConflict(key);
      this.documents.set(JSON.stringify(key), { key, value, version: found + 1 });
    }
    if (failure === 'after') throw new Error('the catalog failed after the commit');
  }
}

/** One installation, without a server. */
export class EvidenceRig {
  readonly clock = new ManualClock(NOW_MS);
  readonly journal = new ListJournal();
  readonly catalog = new ListCatalog();
  readonly keys: Keys;
  hashes: MemoryTreeHashes = newHashes();
  readonly origin = ORIGIN;
  readonly account = ACCOUNT;
  readonly region = REGION;
  readonly sha256 = sha256;

  constructor(seed = 'evidence') {
    this.keys = createMemoryKeys({ clock: this.clock, chance: seededChance(seed), origin: ORIGIN });
  }

  /** A new process on the same stores. */
  open(): Promise<TreeFollower> {
    return createTreeFollower(this);
  }

  loseHashes(): void {
    this.hashes = newHashes();
  }

  async appendEvents(count: number, account = ACCOUNT): Promise<void> {
    for (let index = 0; index < count; index++) {
      const eventId = `event-${this.journal.entries.length + 1}`;
      const bytes = new TextEncoder().encode(`{"eventID":"${eventId}"}`);
      await this.journal.append([
        { kind: 'event', source: 'record', eventId, account, region: REGION, receivedAtMs: this.clock.nowMs(), bytes },
      ]);
    }
  }

  /** Hands over what the follower has not taken, as the server does. */
  async catchUp(tree: TreeFollower): Promise<void> {
    const fresh = this.journal.entries.slice(Number(tree.cursor()));
    if (fresh.length > 0) await tree.take(fresh);
  }
}

function newHashes(): MemoryTreeHashes {
  return createMemoryTreeHashes({ hashChildren: (left, right) => hashNode(sha256, left, right) });
}

/** A call by a root key. */
export function callBy(account: AccountId, isAdministrator: boolean): Call {
  const arn = `arn:aws:iam::${account}:root`;
  return {
    principal: { type: 'Root', account, arn, principalId: account, accessKeyId: 'AKIATEST', isAdministrator },
    account,
    region: REGION,
    requestId: 'request',
    sourceIpAddress: '127.0.0.1',
    userAgent: 'test',
    receivedAtMs: NOW_MS,
  };
}
