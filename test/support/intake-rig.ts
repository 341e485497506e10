/**
 * Intake and accounts on memory stores and a clock that the test moves: an installation without a server.
 */
import { createHash } from 'node:crypto';
import { Accounts, type NewAccessKey } from '../../src/access/accounts.ts';
import { accountOperations } from '../../src/access/operations.ts';
import type { Call, Operation } from '../../src/api/operation.ts';
import type { AccountId, Region } from '../../src/event/types.ts';
import type { HttpProblem, Service } from '../../src/http/ports.ts';
import type { IntakeAccounts, IntakeStores } from '../../src/intake/accept-events.ts';
import { createCallRecorder } from '../../src/intake/record-call.ts';
import { UsedRegions } from '../../src/intake/used-regions.ts';
import { createIntakeAccounts } from '../../src/server/create-intake-accounts.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryJournal } from '../../src/store/memory/journal.ts';
import { createMemoryKeys } from '../../src/store/memory/keys.ts';

export const ADMINISTRATOR = '111111111111' as AccountId;
export const OWNER = '222222222222' as AccountId;
/** An account that no test makes unless it says so. */
export const STRANGER = '333333333333' as AccountId;
/** In the middle of an hour. */
export const START_MS = Date.UTC(2026, 0, 2, 3, 30);

export class IntakeRig {
  readonly clock = createManualClock({ startMs: START_MS });
  readonly chance = createSeededChance('intake');
  readonly catalog = createMemoryCatalog();
  readonly journal = createMemoryJournal({ clock: this.clock, chance: this.chance });
  readonly keys = createMemoryKeys({ clock: this.clock, chance: createSeededChance('keys') });
  /** Keys handed over for keeping, in order. */
  readonly kept: NewAccessKey[] = [];
  readonly accounts: Accounts = this.newAccounts();
  /** What went wrong behind calls, in order. */
  readonly problems: HttpProblem[] = [];
  /** What recording a call needs. */
  readonly recorder: Omit<IntakeStores, 'accounts'> = {
    journal: this.journal,
    clock: this.clock,
    chance: this.chance,
    regions: new UsedRegions(this.catalog),
    sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  };
  /** What intake works on. */
  readonly stores: IntakeStores = { ...this.recorder, accounts: this.intakeAccounts() };

  /** An installation with its administrator and `OWNER`. */
  static async open(): Promise<IntakeRig> {
    const rig = new IntakeRig();
    await rig.accounts.open('installation', ADMINISTRATOR);
    await (await rig.accounts.prepareAccount(OWNER, 'owner')).save();
    return rig;
  }

  /** The service of accounts and keys. */
  snowtrail(accounts = this.accounts): Service {
    const operations = new Map(accountOperations(accounts).map((operation) => [operation.name, operation as Operation<unknown>]));
    return { protocol: 'snowtrail', eventSource: 'snowtrail.amazonaws.com', operations };
  }

  /** The accounts as submissions have them. @param recorder Takes the place of the rig's own stores. */
  intakeAccounts(accounts = this.accounts, recorder = this.recorder): IntakeAccounts {
    return createIntakeAccounts(accounts, this.snowtrail(accounts), {
      authorize: async () => {},
      guard: async () => ({ kind: 'free' as const }),
      recordCall: createCallRecorder(recorder),
      report: (problem) => this.problems.push(problem),
    });
  }

  /** The accounts as another process over the same stores has them. */
  newAccounts(): Accounts {
    const { catalog, keys, clock, chance } = this;
    return new Accounts({ catalog, keys, clock, chance, keepKey: async (key) => void this.kept.push(key) });
  }
}

export function callOf(account: AccountId, more: Partial<Call> = {}): Call {
  return {
    principal: {
      type: 'Root',
      account,
      arn: `arn:aws:iam::${account}:root`,
      principalId: account,
      accessKeyId: 'AKIAAAAAAAAAAAAAAAAA',
      isAdministrator: account === ADMINISTRATOR,
    },
    account,
    region: 'eu-central-1' as Region,
    requestId: 'request-1',
    sourceIpAddress: '127.0.0.1',
    userAgent: 'test',
    receivedAtMs: START_MS,
    ...more,
  };
}

/** The JSON of a small record with this event id. */
export function recordText(eventId: string, more: object = {}): string {
  return JSON.stringify({ eventID: eventId, eventName: 'RunInstances', eventTime: '2026-01-02T03:29:00Z', ...more });
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
