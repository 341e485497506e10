/**
 * Changes that make the record smaller, under the two-person rule and a delay, over the HTTP side.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { credentialsOf, HttpRig, OTHER_KEY, operationTable, RIG_ACCOUNT, RIG_KEY } from '../../test/support/http-rig.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Operation } from '../api/operation.ts';
import type { Service } from '../http/ports.ts';
import type { SignerCredentials } from '../http/sign-request.ts';
import { hashSha256 } from '../server/sha256.ts';
import { createMemoryCatalog } from '../store/memory/catalog.ts';
import type { ApprovalOutput } from './approval.ts';
import { type ApprovalRules, guardNarrowing } from './guard-narrowing.ts';
import { approvalOperations } from './operations.ts';

const HOUR_MS = 3_600_000;
const ALICE: SignerCredentials = { ...RIG_KEY, accessKeyId: 'AKIAALICEALICEALICE1' };
const ALICES_OTHER: SignerCredentials = { ...RIG_KEY, accessKeyId: 'AKIAALICEALICEALICE2' };
const ALICE_RENAMED: SignerCredentials = { ...RIG_KEY, accessKeyId: 'AKIAALICEALICEALICE3' };
const BOB: SignerCredentials = { ...RIG_KEY, accessKeyId: 'AKIABOBBOBBOBBOBBOB1' };
const SESSION: SignerCredentials = { ...RIG_KEY, accessKeyId: 'ASIASESSIONSESSION01' };
const BOBS_SESSION: SignerCredentials = { ...RIG_KEY, accessKeyId: 'ASIASESSIONSESSION02' };

let rig: HttpRig;
let clock: ManualClock;
let stopped: string[];
let isBroken: boolean;
/** What stopping a trail makes smaller; the state of the trail decides. */
let loss: string;
let isCatalogAway: boolean;
afterEach(() => rig.close());

function user(key: SignerCredentials, name: string, id = `AIDA${name}`) {
  const of = credentialsOf(key, RIG_ACCOUNT);
  const arn = `arn:aws:iam::${RIG_ACCOUNT}:user/${name}`;
  return {
    ...of,
    principal: { ...of.principal, type: 'IAMUser' as const, arn, principalId: id, userName: name, isAdministrator: false },
  };
}

/** A session of one role, whose chain of roles a user began. */
function sessionOf(key: SignerCredentials, name: string) {
  const of = credentialsOf(key, RIG_ACCOUNT);
  const session = { issuedAtMs: 0, tags: [], transitiveTagKeys: [], startedBy: `AIDA${name}` };
  const arn = `arn:aws:sts::${RIG_ACCOUNT}:assumed-role/Ops/${name}`;
  return { ...of, principal: { ...of.principal, type: 'AssumedRole' as const, arn, isAdministrator: false, session } };
}

async function start(rules: ApprovalRules | undefined): Promise<void> {
  clock = new ManualClock(Date.UTC(2026, 10, 1));
  stopped = [];
  isBroken = false;
  loss = 'stops delivering';
  isCatalogAway = false;
  const memory = createMemoryCatalog();
  const get: typeof memory.get = async (key) => {
    if (isCatalogAway) throw new Error('the catalog is away');
    return memory.get(key);
  };
  const catalog = { ...memory, list: memory.list.bind(memory), commit: memory.commit.bind(memory), get };
  const deps = { catalog, clock, rules, sha256: hashSha256 };
  const stop: Operation<{ Name: string }, object> = {
    name: 'StopLogging',
    isReadOnly: false,
    decide: async (_call, { Name }) => ({
      output: {},
      narrows: `the trail ${Name} ${loss}`,
      apply: async () => {
        if (isBroken) throw new Error('the catalog is away');
        stopped.push(Name);
      },
    }),
  };
  const snowtrail: Service = {
    protocol: 'snowtrail',
    eventSource: 'snowtrail.amazonaws.com',
    operations: operationTable(stop, ...(approvalOperations(deps) as readonly Operation<unknown>[])),
  };
  rig = await HttpRig.start({
    services: [['snowtrail', snowtrail]],
    authorize: async () => {},
    guard: guardNarrowing(deps),
    credentials: [
      credentialsOf(RIG_KEY, RIG_ACCOUNT),
      credentialsOf(OTHER_KEY, '000000000001' as typeof RIG_ACCOUNT),
      user(ALICE, 'alice'),
      user(ALICES_OTHER, 'alice'),
      user(ALICE_RENAMED, 'eve', 'AIDAalice'),
      user(BOB, 'bob'),
      sessionOf(SESSION, 'alice'),
      sessionOf(BOBS_SESSION, 'bob'),
    ],
  });
}

/** The answer's body, or `<code>: <message>`. */
async function call(key: SignerCredentials, operation: string, input: object = {}): Promise<string> {
  const { status, text } = await rig.send('POST', `/v1/${operation}`, { service: 'snowtrail', key, body: JSON.stringify(input) });
  if (status === 200) return text;
  const error = JSON.parse(text) as { __type: string; Message: string };
  return `${error.__type}: ${error.Message}`;
}
const stopTrail = (key = ALICE, Name = 'main') => call(key, 'StopLogging', { Name });
const idIn = (text: string): string => /apr-[0-9a-f]{32}/.exec(text)![0];
async function approvals(key = RIG_KEY, input: object = {}): Promise<readonly ApprovalOutput[]> {
  return (JSON.parse(await call(key, 'ListApprovals', input)) as { Approvals: readonly ApprovalOutput[] }).Approvals;
}

describe('without a rule', () => {
  test('a narrowing change is carried out at once', async () => {
    await start(undefined);
    expect([await stopTrail(), stopped]).toEqual(['{}', ['main']]);
  });
});

describe('the two-person rule', () => {
  test('A19: the call is refused and recorded, another person approves, and the same call is then carried out once', async () => {
    await start({ persons: 2, delayMs: 0 });
    const refused = await stopTrail();
    expect(refused).toMatch(
      /^AccessDeniedException: StopLogging was not carried out, for the trail main stops delivering\. Another person must approve it/,
    );
    expect([stopped, rig.names()]).toEqual([[], ['StopLogging:AccessDeniedException']]);
    const ApprovalId = idIn(refused);
    expect(await approvals(BOB)).toMatchObject([{ ApprovalId, State: 'pending', RequestedBy: `arn:aws:iam::${RIG_ACCOUNT}:user/alice` }]);

    await call(BOB, 'ApproveChange', { ApprovalId });
    expect([await stopTrail(), stopped]).toEqual(['{}', ['main']]);
    const [{ additionalEventData }] = rig.records.slice(-1) as [(typeof rig.records)[number]];
    expect(additionalEventData).toEqual({ approvalId: ApprovalId, approvedBy: `arn:aws:iam::${RIG_ACCOUNT}:user/bob` });
    // The next one is asked for anew.
    expect([await stopTrail(), stopped]).toEqual([refused, ['main']]);
  });

  test('asking again is the same approval; another change, or another caller, is another one', async () => {
    await start({ persons: 2, delayMs: 0 });
    const ids = [await stopTrail(), await stopTrail(), await stopTrail(ALICE, 'other'), await stopTrail(BOB)].map(idIn);
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toBe(ids[1]);
    expect(await approvals()).toHaveLength(3);
  });

  test('who asked cannot approve, with whatever key, role or new name; nor can another account', async () => {
    await start({ persons: 2, delayMs: 0 });
    const ApprovalId = idIn(await stopTrail());
    const answers = [];
    for (const key of [ALICE, ALICES_OTHER, ALICE_RENAMED, SESSION, OTHER_KEY])
      answers.push(await call(key, 'ApproveChange', { ApprovalId }));
    expect(answers).toEqual([
      expect.stringMatching(/^AccessDeniedException: .*is who asked for this change/),
      expect.stringMatching(/^AccessDeniedException: .*is who asked for this change/),
      expect.stringMatching(/^AccessDeniedException: .*is who asked for this change/),
      expect.stringMatching(/^AccessDeniedException: .*is who asked for this change/),
      `ApprovalNotFoundException: there is no approval \`${ApprovalId}\`; see \`snowtrail approvals list\``,
    ]);
    expect(await call(OTHER_KEY, 'ApproveChange', { ApprovalId, Account: RIG_ACCOUNT })).toMatch(/^ApprovalNotFoundException/);
    await stopTrail();
    expect(stopped).toEqual([]);
  });

  test('a session asks for who began it: that user cannot approve, another one can by a session of the same role', async () => {
    await start({ persons: 2, delayMs: 0 });
    const ApprovalId = idIn(await stopTrail(SESSION));
    expect(await call(ALICE, 'ApproveChange', { ApprovalId })).toMatch(/is who asked for this change/);
    expect(await call(BOBS_SESSION, 'ApproveChange', { ApprovalId })).not.toMatch(/Exception/);
    expect([await stopTrail(SESSION), stopped]).toEqual(['{}', ['main']]);
  });

  test('a rejected change stays refused, and is asked for anew by the next call', async () => {
    await start({ persons: 2, delayMs: 0 });
    const ApprovalId = idIn(await stopTrail());
    await call(BOB, 'ApproveChange', { ApprovalId });
    await call(ALICE, 'RejectChange', { ApprovalId });
    expect(await approvals()).toMatchObject([{ State: 'rejected' }]);
    expect(await call(BOB, 'ApproveChange', { ApprovalId })).toMatch(/^ConflictException: .* is rejected already/);
    expect(await stopTrail()).toMatch(/Another person must approve it/);
    expect(await approvals()).toMatchObject([{ State: 'pending' }]);
    expect(stopped).toEqual([]);
  });

  test('a pending change ends after a week, an approved one after a day', async () => {
    await start({ persons: 2, delayMs: 0 });
    const ApprovalId = idIn(await stopTrail());
    clock.pass(7 * 24 * HOUR_MS);
    expect(await call(BOB, 'ApproveChange', { ApprovalId })).toMatch(/^ConflictException: .* is expired already/);
    await stopTrail();
    await call(BOB, 'ApproveChange', { ApprovalId });
    clock.pass(24 * HOUR_MS);
    expect(await stopTrail()).toMatch(/Another person must approve it/);
    expect(stopped).toEqual([]);
  });

  test('an approval is for the loss that was shown: the same call that has come to lose more is asked for anew', async () => {
    await start({ persons: 2, delayMs: 0 });
    await call(BOB, 'ApproveChange', { ApprovalId: idIn(await stopTrail()) });
    loss = 'stops delivering, for three accounts';
    expect(await stopTrail()).toMatch(/for three accounts\. Another person must approve it/);
    expect(stopped).toEqual([]);
  });

  test('a change that fails keeps its approval', async () => {
    await start({ persons: 2, delayMs: 0 });
    await call(BOB, 'ApproveChange', { ApprovalId: idIn(await stopTrail()) });
    isBroken = true;
    expect(await stopTrail()).toMatch(/^InternalFailure/);
    isBroken = false;
    expect([await stopTrail(), stopped]).toEqual(['{}', ['main']]);
  });

  test('a refusal that cannot be recorded asks for nothing', async () => {
    await start({ persons: 2, delayMs: 0 });
    rig.isRecordingBroken = true;
    await stopTrail();
    rig.isRecordingBroken = false;
    expect(await approvals()).toEqual([]);
  });

  test('a call whose approval cannot be looked up is refused, and recorded', async () => {
    await start({ persons: 2, delayMs: 0 });
    isCatalogAway = true;
    expect(await stopTrail()).toMatch(/^InternalFailure/);
    expect([stopped, rig.names()]).toEqual([[], ['StopLogging:InternalFailure']]);
  });

  test('an account has at most a hundred changes that wait', async () => {
    await start({ persons: 2, delayMs: 0 });
    for (let number = 0; number < 100; number++) await stopTrail(ALICE, `trail-${number}`);
    expect(await stopTrail(ALICE, 'one-more')).toMatch(/^ThrottlingException: 100 changes/);
    expect(await stopTrail(ALICE, 'trail-0')).toMatch(/^AccessDeniedException/);
  }, 60_000);
});

describe('the delay', () => {
  test('runs from the approval; before its end the call is refused with the time', async () => {
    await start({ persons: 2, delayMs: HOUR_MS });
    const ApprovalId = idIn(await stopTrail());
    await call(BOB, 'ApproveChange', { ApprovalId });
    clock.pass(HOUR_MS - 1);
    expect(await stopTrail()).toMatch(/It may be carried out from 2026-11-01T01:00:00\.000Z/);
    clock.pass(1);
    expect([await stopTrail(), stopped]).toEqual(['{}', ['main']]);
  });

  test('runs from the first call where one person suffices', async () => {
    await start({ persons: 1, delayMs: HOUR_MS });
    expect(await stopTrail()).toMatch(/It may be carried out from/);
    clock.pass(HOUR_MS);
    expect([await stopTrail(), stopped]).toEqual(['{}', ['main']]);
  });
});
