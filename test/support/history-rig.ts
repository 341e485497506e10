/**
 * Event history without a server: stores in memory, an index in memory or on disk, a clock moved by hand.
 */
import { hash } from 'node:crypto';
import type { Call, Operation } from '../../src/api/operation.ts';
import type { AccountId, EventSourceKind, JsonObject, Region } from '../../src/event/types.ts';
import { type HistoryFollower, openHistoryFollower } from '../../src/history/index-events.ts';
import { historyOperations } from '../../src/history/operations.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import type { HistoryIndex } from '../../src/store/history-index.ts';
import { type FactKind, JournalDamaged } from '../../src/store/journal.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { createMemoryHistoryIndex } from '../../src/store/memory/history-index.ts';
import { createMemoryJournal } from '../../src/store/memory/journal.ts';
import { createMemoryKeys } from '../../src/store/memory/keys.ts';
import { PageTokens } from '../../src/store/page-tokens.ts';
import { readPast } from '../../src/store/read-past.ts';
import { ManualClock, seededChance } from './manual-clock.ts';

export const ACCOUNT = '123837392027' as AccountId;
export const OTHER_ACCOUNT = '000000000001' as AccountId;
export const REGION = 'eu-central-1' as Region;
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'));

/** How a record comes in, where it differs from: now, as a new event of `ACCOUNT` in `REGION`. */
export interface Arrival {
  readonly account?: AccountId;
  readonly region?: Region;
  readonly source?: EventSourceKind;
  readonly receivedAtMs?: number;
  /** The record's bytes where they differ from its usual JSON. */
  readonly text?: string;
}

export class HistoryRig {
  readonly clock = new ManualClock(NOW_MS);
  readonly chance = seededChance('history');
  readonly journal = createMemoryJournal({ clock: this.clock, chance: this.chance });
  readonly catalog = failingCatalog(createMemoryCatalog());
  readonly sha256 = sha256;
  readonly keys = createMemoryKeys({ clock: this.clock, chance: this.chance, origin: 'snowtrail/test' });
  index: HistoryIndex;
  follower!: HistoryFollower;
  #operations!: ReadonlyMap<string, Operation<never, unknown>>;

  private constructor(index: HistoryIndex) {
    this.index = index;
  }

  static async open(index: HistoryIndex = createMemoryHistoryIndex()): Promise<HistoryRig> {
    const rig = new HistoryRig(index);
    await rig.restart(index);
    return rig;
  }

  /** A new process on the same journal and catalog. */
  async restart(index: HistoryIndex): Promise<void> {
    this.index = index;
    this.follower = await openHistoryFollower(this);
    const { cloudtrail, snowtrail } = historyOperations({ ...this.stores() });
    this.#operations = new Map([...cloudtrail, ...snowtrail].map((operation) => [operation.name, operation]));
  }

  stores() {
    const { index, journal, follower, keys, clock, chance } = this;
    return { index, journal, follower, tokens: new PageTokens(keys, chance), clock, sha256, accounts: () => [ACCOUNT, OTHER_ACCOUNT] };
  }

  /** Appends records and lets history take them. @returns The sequences. */
  async accept(records: readonly JsonObject[], arrival: Arrival = {}): Promise<bigint[]> {
    const sequences = await this.append(records, arrival);
    await this.catchUp();
    return sequences;
  }

  /** Appends records that no follower has taken yet. The journal says itself which ids conflict. */
  async append(records: readonly JsonObject[], arrival: Arrival = {}): Promise<bigint[]> {
    const verdicts = await this.journal.append(
      records.map((record) => ({
        kind: 'event',
        source: arrival.source ?? 'record',
        account: arrival.account ?? ACCOUNT,
        region: arrival.region ?? REGION,
        eventId: String(record['eventID']),
        receivedAtMs: arrival.receivedAtMs ?? this.clock.nowMs(),
        bytes: new TextEncoder().encode(arrival.text ?? JSON.stringify(record)),
      })),
    );
    return verdicts.map((verdict) => verdict.sequence);
  }

  /** Appends a fact of the account. */
  async appendFact(factKind: FactKind, factId: string, bytes: Uint8Array): Promise<void> {
    await this.journal.append([
      { kind: 'fact', factKind, factId, account: ACCOUNT, region: REGION, receivedAtMs: this.clock.nowMs(), bytes },
    ]);
  }

  /** Hands over what the follower has not taken, as the server does. */
  async catchUp(): Promise<void> {
    for (let after = this.follower.cursor(); after < this.journal.head(); after = this.follower.cursor()) {
      const entries = await readPast(this.journal, after, 1_000);
      if (entries instanceof JournalDamaged) await this.follower.passOver!(entries.damage);
      else await this.follower.take(entries);
    }
  }

  /** Decides one operation. The output's type is the caller's business. */
  async call<Output>(name: string, input: object = {}, by: Call = callBy(ACCOUNT)): Promise<Output> {
    const operation = this.#operations.get(name);
    if (operation === undefined) throw new Error(`no operation \`${name}\``);
    return (await operation.decide(by, input as never)).output as Output;
  }
}

/** The catalog, and how its next commit fails: before it took effect, or after. */
function failingCatalog(catalog: Catalog): Catalog & { nextFailure: 'before' | 'after' | undefined } {
  const failing = {
    ...catalog,
    nextFailure: undefined as 'before' | 'after' | undefined,
    async commit(changes: Parameters<Catalog['commit']>[0]): Promise<void> {
      const failure = failing.nextFailure;
      failing.nextFailure = undefined;
      if (failure === 'before') throw new Error('the catalog failed before the commit');
      await catalog.commit(changes);
      if (failure === 'after') throw new Error('the catalog failed after the commit');
    },
  };
  return failing;
}

/** A call by an account's root key. */
export function callBy(account: AccountId, change: { region?: Region; isAdministrator?: boolean } = {}): Call {
  const arn = `arn:aws:iam::${account}:root`;
  return {
    principal: {
      type: 'Root',
      account,
      arn,
      principalId: account,
      accessKeyId: 'AKIATEST',
      isAdministrator: change.isAdministrator ?? false,
    },
    account,
    region: change.region ?? REGION,
    requestId: 'request',
    sourceIpAddress: '127.0.0.1',
    userAgent: 'test',
    receivedAtMs: NOW_MS,
  };
}

let records = 0;

/** A management event of user `alice`, a second before `NOW_MS`, with changes. */
export function record(change: JsonObject = {}): JsonObject {
  records += 1;
  return {
    eventVersion: '1.08',
    userIdentity: { type: 'IAMUser', userName: 'alice', accountId: ACCOUNT, accessKeyId: 'AKIAALICE' },
    eventTime: '2026-01-02T03:04:04Z',
    eventSource: 's3.amazonaws.com',
    eventName: 'CreateBucket',
    awsRegion: REGION,
    sourceIPAddress: '203.0.113.7',
    userAgent: 'aws-cli/1.45',
    requestParameters: { bucketName: 'snowy-pii' },
    responseElements: null,
    eventID: `00000000-0000-4000-8000-${String(records).padStart(12, '0')}`,
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: ACCOUNT,
    eventCategory: 'Management',
    ...change,
  };
}
