/**
 * Trails on memory stores and a clock that the test moves: an installation without a server.
 *
 * Calls go the way of the dispatcher: decide, record the call as an event, carry out. Faults are put between the trails
 * and each store by `failAt`.
 */
import { createHash } from 'node:crypto';
import type { Call, Decision, Operation } from '../../src/api/operation.ts';
import type { AccountId, BucketName, Json, Region } from '../../src/event/types.ts';
import { keyStatementReader } from '../../src/evidence/read-key-statement.ts';
import { rotateKey } from '../../src/evidence/state-keys.ts';
import { UsedRegions } from '../../src/intake/used-regions.ts';
import { createTrailKeys } from '../../src/kms/create-trail-keys.ts';
import type { KmsDeps } from '../../src/kms/kms-deps.ts';
import { kmsService } from '../../src/server/kms-service.ts';
import { hashSha256 } from '../../src/server/sha256.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import type { Journal, NewEntry } from '../../src/store/journal.ts';
import { KeyedLock } from '../../src/store/keyed-lock.ts';
import type { SigningKeyUse } from '../../src/store/keys.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryJournal } from '../../src/store/memory/journal.ts';
import { createMemoryKeys } from '../../src/store/memory/keys.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { createMemoryTopics } from '../../src/store/memory/topics.ts';
import { createLockTime } from '../../src/store/object-lock.ts';
import { type Objects, ObjectsError } from '../../src/store/objects.ts';
import { PageTokens } from '../../src/store/page-tokens.ts';
import { sealObjects } from '../../src/store/sealed-objects.ts';
import { gzipInline } from '../../src/trail/compress.ts';
import { createTrails, type Trails } from '../../src/trail/create-trails.ts';
import type { TrailDeps, TrailTrouble } from '../../src/trail/trail-deps.ts';

export const TRAIL_ACCOUNT = '123837392027' as AccountId;
export const STRANGER = '999999999999' as AccountId;
/** Facts of the installation belong to it. */
export const INSTALLATION = '000000000000' as AccountId;
export const HOME = 'eu-central-1' as Region;
export const BUCKET = 'evidence-bucket' as BucketName;
/** Not a multiple of any interval. */
export const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
export const FLUSH_MS = 5_000;
export const DIGEST_MS = 60_000;

/** What a call of a store does when its turn to fail has come. */
export type FaultKind =
  /** Fails without effect, such as `objectPut`. */
  | 'refused'
  /** Takes effect, and its answer is lost, such as `objectPutTaken`. */
  | 'taken';

/** A fault that is planned: the N-th call of a store. */
export interface PlannedFault {
  readonly store: 'objects' | 'catalog' | 'journal';
  readonly method: string;
  /** Counts from 1. */
  readonly nth: number;
  readonly kind: FaultKind;
  /** The process dies with it: all its later calls fail, until a new one is opened. */
  readonly isCrash?: boolean;
}

/** One process: `isDead` once a planned crash has hit it. */
interface Process {
  isDead: boolean;
}

export class TrailRig {
  readonly clock = createManualClock({ startMs: START_MS });
  readonly chance = createSeededChance('trail');
  readonly catalog: Catalog = createMemoryCatalog();
  readonly journal: Journal;
  readonly objects: Objects;
  readonly keys = createMemoryKeys({ clock: this.clock, chance: createSeededChance('keys'), origin: 'snowtrail/rig' });
  readonly topics = createMemoryTopics();
  readonly troubles: TrailTrouble[] = [];
  readonly options: Partial<TrailDeps>;
  /** Calls so far, by store and method. */
  readonly calls = new Map<string, number>();
  fault: PlannedFault | undefined;
  /** While set, each call of `objects` fails with this code. */
  outage: string | undefined;
  /** Puts of keys that match are refused in this bucket, and nothing else is. */
  refused: { readonly bucket: string; readonly key: RegExp } | undefined;
  /** While true, `head` refuses to say that an object is not there, as S3 does without the right to list. */
  hidesAbsence = false;
  /** While true, calls are not counted and nothing planned happens. */
  isQuiet = false;
  #process: Process = { isDead: false };
  readonly #regions = new UsedRegions(this.catalog);
  #requests = 0;
  #events = 0;

  constructor(options: Partial<TrailDeps> = {}) {
    this.options = options;
    this.journal = createMemoryJournal({ clock: this.clock, chance: createSeededChance('journal') });
    const memory = createMemoryObjects({ clock: this.clock, chance: createSeededChance('objects') });
    this.objects = sealObjects(memory, { contentKey: new Uint8Array(32), chance: createSeededChance('seal') });
  }

  /** What a KMS on the same stores works with. */
  get kms(): KmsDeps {
    const { catalog, journal, keys, clock, chance } = this;
    const tokens = new PageTokens(keys, chance);
    const recordKeyEvent = async () => undefined;
    return {
      catalog,
      journal,
      keys,
      clock,
      lockTime: createLockTime(clock),
      chance,
      sha256: hashSha256,
      tokens,
      recordKeyEvent,
      removals: new KeyedLock(),
    };
  }

  /** A new process on the same stores. */
  open(): Promise<Trails> {
    const process: Process = { isDead: false };
    this.#process = process;
    return createTrails({
      catalog: this.#watched('catalog', this.catalog, process),
      journal: this.#watched('journal', this.journal, process),
      objects: this.#watched('objects', this.objects, process),
      keys: this.keys,
      trailKeys: createTrailKeys(this.kms),
      clock: this.clock,
      chance: this.chance,
      keyStatement: keyStatementReader({ journal: this.journal, account: INSTALLATION }),
      evidence: { latestCheckpoint: () => undefined, consistency: async () => [] },
      proveEntry: async () => ({}),
      topics: this.topics,
      sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
      gzip: gzipInline,
      origin: 'snowtrail/rig',
      flushIntervalMs: FLUSH_MS,
      digestIntervalMs: DIGEST_MS,
      report: (trouble) => this.troubles.push(trouble),
      ...this.options,
    });
  }

  call(account: AccountId = TRAIL_ACCOUNT, region: Region = HOME): Call {
    const arn = `arn:aws:iam::${account}:root`;
    this.#requests++;
    return {
      principal: { type: 'Root', account, arn, principalId: account, accessKeyId: 'AKIATEST', isAdministrator: true },
      account,
      region,
      requestId: `request-${this.#requests}`,
      sourceIpAddress: '127.0.0.1',
      userAgent: 'test',
      receivedAtMs: this.clock.nowMs(),
    };
  }

  /** Calls an operation as the dispatcher does. The call's own event is recorded for what changes something. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that knows the operation.
  async send(trails: Trails, name: string, input: object = {}, call: Call = this.call()): Promise<any> {
    const operation = operationOf(trails, name);
    const decision = await operation.decide(call, input);
    if (!operation.isReadOnly) await this.record(call.region, { account: call.account, eventName: name, source: 'own-call' });
    await decision.apply?.();
    return decision.output;
  }

  /** What an operation decides, which is not carried out. */
  decide(trails: Trails, name: string, input: object): Promise<Decision<unknown>> {
    return operationOf(trails, name).decide(this.call(), input);
  }

  /** Calls an operation of KMS, which leaves no record. @param input As on the wire: bytes in base64. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that knows the operation.
  async sendKms(name: string, input: Json): Promise<any> {
    const { operations, decodeInput } = kmsService(this.kms);
    const { output, apply } = await operations.get(name)!.decide(this.call(), decodeInput!(name, input));
    await apply?.();
    return output;
  }

  /** The bucket, with the documented policy for the account. */
  async createBucket(
    options: {
      readonly bucket?: BucketName;
      readonly owner?: AccountId;
      readonly account?: AccountId;
      readonly prefix?: string;
      readonly policy?: object | null;
    } = {},
  ): Promise<void> {
    const { bucket = BUCKET, owner = TRAIL_ACCOUNT, account = TRAIL_ACCOUNT, prefix } = options;
    const policy = options.policy === undefined ? bucketPolicy(bucket, account, prefix) : options.policy;
    await this.objects.createBucket({ name: bucket, owner, region: HOME, createdAtMs: this.clock.nowMs(), versioning: 'Off' });
    if (policy !== null) await this.objects.updateBucket(bucket, { policy: JSON.stringify(policy) });
  }

  /** Appends one event. @returns its id. */
  async record(
    region: Region,
    options: {
      account?: AccountId;
      source?: 'record' | 'import' | 'own-call';
      members?: object;
      eventName?: string;
      eventId?: string;
    } = {},
  ): Promise<string> {
    const { account = TRAIL_ACCOUNT, source = 'record', members = {}, eventName = 'RunInstances' } = options;
    const eventId = options.eventId ?? `00000000-0000-4000-8000-${String(++this.#events).padStart(12, '0')}`;
    const record = {
      eventVersion: '1.11',
      userIdentity: { type: 'Root', accountId: account },
      eventTime: new Date(this.clock.nowMs() - 60_000).toISOString().replace(/\.[0-9]+/, ''),
      eventSource: 'ec2.amazonaws.com',
      eventName,
      awsRegion: region,
      eventID: eventId,
      eventType: 'AwsApiCall',
      managementEvent: true,
      eventCategory: 'Management',
      recipientAccountId: account,
      ...members,
    };
    const bytes = new TextEncoder().encode(JSON.stringify(record));
    await this.#regions.use(account, region, this.clock.nowMs());
    const entry: NewEntry = { kind: 'event', source, eventId, account, region, receivedAtMs: this.clock.nowMs(), bytes };
    await this.journal.append([entry]);
    return eventId;
  }

  /** Makes a new current key, which the journal states. */
  async rotateKey(use: SigningKeyUse): Promise<void> {
    const { journal, keys, clock } = this;
    await rotateKey({ journal, keys, clock, origin: 'snowtrail/rig', account: INSTALLATION, region: HOME }, use);
  }

  /** Lets time pass in small pieces, and the trails work in each. */
  async pass(trails: Trails, ms: number, pieceMs = FLUSH_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += pieceMs) {
      await this.clock.advance(Math.min(pieceMs, ms - passed));
      await this.settle(trails);
    }
  }

  /** Whether the newest process has died. */
  isDead(): boolean {
    return this.#process.isDead;
  }

  /** Whether the turn of the planned fault has come. */
  hasHit(): boolean {
    const { fault } = this;
    return fault !== undefined && (this.calls.get(`${fault.store}.${fault.method}`) ?? 0) >= fault.nth;
  }

  /** Does everything that is due. */
  async settle(trails: Trails): Promise<void> {
    while (await trails.tick());
  }

  /** Does everything that is due, with a new process in place of each that dies meanwhile. @returns the trails of the last one */
  async outlive(trails: Trails, open: () => Promise<Trails> = () => this.open()): Promise<Trails> {
    let newest = trails;
    await this.settle(newest);
    while (this.isDead()) {
      newest = await open();
      await this.settle(newest);
    }
    return newest;
  }

  /** Counts the calls of a store, and fails the one that is planned. */
  #watched<Store extends object>(store: PlannedFault['store'], target: Store, process: Process): Store {
    return new Proxy(target, {
      get: (_, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        const isAsync = !(store === 'journal' && ['head', 'damage', 'health'].includes(String(name)));
        if (!isAsync) return member.bind(target);
        return async (...args: unknown[]) => {
          if (process.isDead) throw new Error('the process is dead');
          if (this.isQuiet) return member.apply(target, args);
          const call = `${store}.${String(name)}`;
          const nth = (this.calls.get(call) ?? 0) + 1;
          this.calls.set(call, nth);
          if (store === 'objects' && this.outage !== undefined) throw new ObjectsError(this.outage, 'the bucket is away');
          const { fault, refused } = this;
          if (call === 'objects.put' && args[0] === refused?.bucket && refused?.key.test(String(args[1])))
            throw new ObjectsError('AccessDenied', 'the bucket refuses such keys');
          const isHit = fault?.store === store && fault.method === name && fault.nth === nth;
          if (isHit && fault.isCrash) process.isDead = true;
          if (isHit && fault.kind === 'refused') throw faultError(store);
          const result = await member.apply(target, args);
          if (isHit) throw faultError(store);
          if (this.hidesAbsence && call === 'objects.head' && result === undefined)
            throw new ObjectsError('AccessDenied', 'the bucket may not be listed');
          return result;
        };
      },
    });
  }
}

function operationOf({ operations }: Trails, name: string): Operation<object, unknown> {
  const found = [...operations.cloudtrail, ...operations.snowtrail].find((each) => each.name === name);
  if (found === undefined) throw new Error(`no operation ${name}`);
  return found as Operation<object, unknown>;
}

function faultError(store: string): Error {
  return store === 'objects' ? new ObjectsError('SlowDown', 'a planned fault') : new Error(`a planned fault of ${store}`);
}

/** The documented policy (cloudtrail.md §11.2). */
export function bucketPolicy(bucket: string, account: string, prefix?: string): object {
  const folder = `${prefix === undefined ? '' : `${prefix}/`}AWSLogs/${account}/*`;
  const Principal = { Service: 'cloudtrail.amazonaws.com' };
  return {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'AWSCloudTrailAclCheck20150319', Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${bucket}` },
      {
        Sid: 'AWSCloudTrailWrite20150319',
        Effect: 'Allow',
        Principal,
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${bucket}/${folder}`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      },
    ],
  };
}
