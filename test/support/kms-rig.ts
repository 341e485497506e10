/**
 * KMS on memory stores and a clock that the test moves. Calls go the way of the dispatcher: read, authorized, decided, recorded, applied.
 */
import { Authorizer } from '../../src/access/authorize.ts';
import { ApiError } from '../../src/api/api-error.ts';
import type { CallRecord } from '../../src/api/call-record.ts';
import type { Call } from '../../src/api/operation.ts';
import type { AccountId, Json, Region } from '../../src/event/types.ts';
import { runOperation } from '../../src/http/dispatch.ts';
import { keyAccess } from '../../src/kms/key-access.ts';
import type { KeyEvent, KmsDeps } from '../../src/kms/kms-deps.ts';
import { tendKeys } from '../../src/kms/tend-keys.ts';
import { kmsService } from '../../src/server/kms-service.ts';
import { hashSha256 } from '../../src/server/sha256.ts';
import { KeyedLock } from '../../src/store/keyed-lock.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryJournal } from '../../src/store/memory/journal.ts';
import { createMemoryKeys } from '../../src/store/memory/keys.ts';
import { createLockTime } from '../../src/store/object-lock.ts';
import { PageTokens } from '../../src/store/page-tokens.ts';

export const KMS_ACCOUNT = '123837392027' as AccountId;
export const KMS_STRANGER = '999999999999' as AccountId;
export const KMS_REGION = 'eu-central-1' as Region;

export class KmsRig {
  readonly clock = createManualClock({ startMs: Date.UTC(2026, 0, 2, 3, 4, 5) });
  readonly chance = createSeededChance('kms');
  readonly journal = createMemoryJournal({ clock: this.clock, chance: createSeededChance('journal') });
  readonly #keys = createMemoryKeys({ clock: this.clock, chance: createSeededChance('keys'), origin: 'snowtrail/rig' });
  readonly #catalog = createMemoryCatalog();
  readonly deps: KmsDeps = {
    catalog: this.#catalog,
    journal: this.journal,
    keys: this.#keys,
    tokens: new PageTokens(this.#keys, createSeededChance('tokens')),
    clock: this.clock,
    lockTime: createLockTime(this.clock),
    chance: this.chance,
    sha256: hashSha256,
    recordKeyEvent: async (event) => void this.keyEvents.push(event),
    removals: new KeyedLock(),
  };
  /** What KMS did of its own accord. */
  readonly keyEvents: KeyEvent[] = [];
  readonly #authorizer = new Authorizer({
    findPolicies: () => ({ identity: [], serviceControl: [], tags: new Map() }),
    findResource: keyAccess(this.deps),
    organizationOf: () => ({}),
  });
  readonly records: CallRecord[] = [];
  #requests = 0;

  call(account: AccountId = KMS_ACCOUNT, region: Region = KMS_REGION): Call {
    const arn = `arn:aws:iam::${account}:root`;
    return {
      principal: { type: 'Root', account, arn, principalId: account, accessKeyId: 'AKIATEST', isAdministrator: true },
      account,
      region,
      requestId: `request-${++this.#requests}`,
      sourceIpAddress: '127.0.0.1',
      userAgent: 'test',
      receivedAtMs: this.clock.nowMs(),
    };
  }

  /** @param input As on the wire: bytes in base64. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that knows the operation.
  async send(name: string, input: object = {}, call: Call = this.call()): Promise<any> {
    const recordCall = async (record: CallRecord) => void this.records.push(record);
    const { authorize } = this.#authorizer;
    const recording = { authorize, guard: async () => ({ kind: 'free' as const }), recordCall, report: () => undefined };
    const signed = { use: () => 'first' as const, giveBack: () => undefined };
    const named = { name, readInput: () => input as Json };
    return runOperation(recording, kmsService(this.deps), call, named, { body: new Uint8Array(), signed });
  }

  /** Code and message of a refusal. */
  async refusal(name: string, input: object = {}, call: Call = this.call()): Promise<string> {
    try {
      return `no refusal: ${JSON.stringify(await this.send(name, input, call))}`;
    } catch (error) {
      if (error instanceof ApiError) return `${error.code}: ${error.message}`;
      throw error;
    }
  }

  /** Id of the material that a key has now. */
  async materialOf(id: string): Promise<string> {
    return (await this.send('DescribeKey', { KeyId: id })).KeyMetadata.CurrentKeyMaterialId;
  }

  /** Lets keys be rotated and removed as their time comes. @param before Done before a rotation is recorded. @returns what stops it. */
  tendKeys(before: () => Promise<unknown> = async () => undefined): () => Promise<void> {
    const stopped = new AbortController();
    const report = (key: string, error: unknown) => {
      throw new Error(`${key}: ${error}`);
    };
    const recordKeyEvent = async (event: KeyEvent) => {
      await before();
      await this.deps.recordKeyEvent(event);
    };
    const running = tendKeys({ kms: { ...this.deps, recordKeyEvent }, clock: this.clock, report }, stopped.signal);
    return async () => {
      stopped.abort();
      await running;
    };
  }

  async passDays(days: number): Promise<void> {
    for (let hour = 0; hour < days * 24; hour++) await this.clock.advance(3_600_000);
  }

  /** @returns id of a new key. */
  async newKey(input: object = {}): Promise<string> {
    return (await this.send('CreateKey', input)).KeyMetadata.KeyId;
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
