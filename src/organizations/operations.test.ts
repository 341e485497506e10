/**
 * The Organizations API on memory stores: units, policies, invitations, services and delegates, and every refusal with its code.
 */
import { describe, expect, test } from 'vitest';
import { callOf } from '../../test/support/intake-rig.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import { hashSha256 } from '../server/sha256.ts';
import { createMemoryCatalog } from '../store/memory/catalog.ts';
import { createManualClock, createSeededChance } from '../store/memory/clock.ts';
import { createMemoryJournal } from '../store/memory/journal.ts';
import { createMemoryKeys } from '../store/memory/keys.ts';
import { PageTokens } from '../store/page-tokens.ts';
import { Directory } from './directory.ts';
import { organizationsOperations } from './operations.ts';
import type { Input } from './read-input.ts';

const MANAGEMENT = '111111111111' as AccountId;
const MEMBER = '222222222222' as AccountId;
const OTHER = '333333333333' as AccountId;
const NOBODY = '999999999999' as AccountId;
const TYPE = 'SERVICE_CONTROL_POLICY';
const CLOUDTRAIL = 'cloudtrail.amazonaws.com';
const CONTENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:StopLogging","Resource":"*"}]}';
const DAY_MS = 24 * 3600 * 1000;
const START_MS = Date.UTC(2026, 0, 2);

class Rig {
  readonly clock = createManualClock({ startMs: START_MS as EpochMs });
  readonly catalog = createMemoryCatalog();
  readonly made: AccountId[] = [];
  directory!: Directory;
  hasTrails = false;
  #operations!: ReadonlyMap<string, Operation<Input, unknown>>;

  /** A new process on the same catalog. */
  async open(): Promise<void> {
    const { clock, catalog } = this;
    const chance = createSeededChance('organizations');
    this.directory = await Directory.open({
      catalog,
      journal: createMemoryJournal({ clock, chance }),
      sha256: hashSha256,
      changeMembers: async ({ appendFact, alongside }) => {
        await appendFact();
        await catalog.commit([...alongside]);
      },
    });
    const { organizations } = organizationsOperations({
      directory: this.directory,
      clock,
      chance,
      tokens: new PageTokens(createMemoryKeys({ clock, chance, origin: 'snowtrail/test' }), chance),
      accounts: {
        exists: () => false,
        nameOf: (account) => `account ${account}`,
        prepare: async (account) => ({ changes: [], save: async () => this.made.push(account) }),
      },
      hasTrails: async () => this.hasTrails,
      chosenId: () => undefined,
    });
    this.#operations = new Map(organizations.map((operation) => [operation.name, operation as unknown as Operation<Input, unknown>]));
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that knows the operation.
  async send(name: string, input: Input = {}, caller: AccountId | Call = MANAGEMENT): Promise<any> {
    const { output, apply } = await this.#operations.get(name)!.decide(typeof caller === 'string' ? callOf(caller) : caller, input);
    await apply?.();
    return output;
  }

  /** Code of a refusal, with its reason where it has one. */
  async refusal(name: string, input: Input = {}, caller: AccountId = MANAGEMENT): Promise<string> {
    return this.send(name, input, caller).then(
      () => 'not refused',
      (error: { code?: string; details?: { Reason?: string } }) =>
        `${error.code ?? String(error)}${error.details?.Reason === undefined ? '' : ` ${error.details.Reason}`}`,
    );
  }

  async invite(account: AccountId): Promise<string> {
    return (await this.send('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: account } })).Handshake.Id;
  }

  async join(account: AccountId): Promise<void> {
    await this.send('AcceptHandshake', { HandshakeId: await this.invite(account) }, account);
  }

  async unit(ParentId: string, Name: string): Promise<string> {
    return (await this.send('CreateOrganizationalUnit', { ParentId, Name })).OrganizationalUnit.Id;
  }

  async policy(Name: string): Promise<string> {
    return (await this.send('CreatePolicy', { Name, Description: '', Content: CONTENT, Type: TYPE })).Policy.PolicySummary.Id;
  }
}

/** An organization of all features with one member, and its root. */
async function organization(): Promise<{ readonly rig: Rig; readonly root: string }> {
  const rig = new Rig();
  await rig.open();
  await rig.send('CreateOrganization');
  await rig.join(MEMBER);
  return { rig, root: (await rig.send('ListRoots')).Roots[0].Id };
}

async function withPolicies(): Promise<{ readonly rig: Rig; readonly root: string }> {
  const { rig, root } = await organization();
  await rig.send('EnablePolicyType', { RootId: root, PolicyType: TYPE });
  return { rig, root };
}

describe('an organization', () => {
  test('belongs to the account that made it, which is in it, and outlives a restart', async () => {
    const { rig } = await organization();
    await rig.open();
    const { Organization } = await rig.send('DescribeOrganization', {}, MEMBER);
    expect(Organization).toMatchObject({ MasterAccountId: MANAGEMENT, FeatureSet: 'ALL' });
    expect((await rig.send('ListAccounts')).Accounts.map(({ Id }: { Id: string }) => Id)).toEqual([MANAGEMENT, MEMBER]);
    expect(await rig.refusal('CreateOrganization')).toBe('AlreadyInOrganizationException');
  });

  test('is not there for an account that is in none, and is changed by its management account alone', async () => {
    const { rig, root } = await organization();
    expect(await rig.refusal('DescribeOrganization', {}, OTHER)).toBe('AWSOrganizationsNotInUseException');
    expect(await rig.refusal('ListAccounts', {}, MEMBER)).toBe('AccessDeniedException');
    expect(await rig.refusal('CreateOrganizationalUnit', { ParentId: root, Name: 'mine' }, MEMBER)).toBe('AccessDeniedException');
  });

  test('is deleted when nothing is left in it: no member, unit, policy or trail', async () => {
    const { rig, root } = await organization();
    const notEmpty = 'OrganizationNotEmptyException';
    expect(await rig.refusal('DeleteOrganization')).toBe(notEmpty);
    await rig.send('LeaveOrganization', {}, MEMBER);
    const [unit, policy] = [await rig.unit(root, 'unit'), await rig.policy('policy')];
    await rig.send('DeletePolicy', { PolicyId: policy });
    expect(await rig.refusal('DeleteOrganization')).toBe(notEmpty);
    await rig.send('DeleteOrganizationalUnit', { OrganizationalUnitId: unit });
    rig.hasTrails = true;
    expect(await rig.refusal('DeleteOrganization')).toBe(notEmpty);
    rig.hasTrails = false;
    await rig.send('DeleteOrganization');
    expect(await rig.refusal('DescribeOrganization')).toBe('AWSOrganizationsNotInUseException');
    expect(await rig.catalog.list(['organization-handshake'])).toEqual([]);
  });

  test('makes accounts for administrators of the installation, each e-mail address once', async () => {
    const rig = new Rig();
    await rig.open();
    const administrator = { ...callOf(MANAGEMENT), principal: { ...callOf(MANAGEMENT).principal, isAdministrator: true } };
    await rig.send('CreateOrganization', {}, administrator);
    const input = { Email: 'logs@example.com', AccountName: 'Logs' };
    const { CreateAccountStatus } = await rig.send('CreateAccount', input, administrator);
    expect(CreateAccountStatus).toMatchObject({ State: 'SUCCEEDED', AccountId: rig.made[0] });
    expect((await rig.send('DescribeAccount', { AccountId: rig.made[0] })).Account).toMatchObject({
      Name: 'Logs',
      JoinedMethod: 'CREATED',
    });
    const again = await rig.send('CreateAccount', input, administrator);
    expect(again.CreateAccountStatus).toMatchObject({ State: 'FAILED', FailureReason: 'EMAIL_ALREADY_EXISTS' });
    expect(rig.made).toHaveLength(1);
    expect((await rig.send('ListCreateAccountStatus', { States: ['FAILED'] })).CreateAccountStatuses).toEqual([again.CreateAccountStatus]);
    const asked = { CreateAccountRequestId: CreateAccountStatus.Id };
    expect((await rig.send('DescribeCreateAccountStatus', asked)).CreateAccountStatus).toEqual(CreateAccountStatus);
    const unknown = { CreateAccountRequestId: 'car-11111111' };
    expect(await rig.refusal('DescribeCreateAccountStatus', unknown)).toBe('CreateAccountStatusNotFoundException');
    const nobody = { ...callOf(MANAGEMENT), principal: { ...callOf(MANAGEMENT).principal, isAdministrator: false } };
    await expect(rig.send('CreateAccount', { Email: 'a@example.com', AccountName: 'A' }, nobody)).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
  });
});

describe('an invitation', () => {
  test('is shown to both, and makes a member of who accepts it, once', async () => {
    const { rig, root } = await organization();
    const HandshakeId = await rig.invite(OTHER);
    const { Handshake } = await rig.send('DescribeHandshake', { HandshakeId }, OTHER);
    expect(Handshake).toMatchObject({ State: 'OPEN', Action: 'INVITE' });
    expect((await rig.send('ListHandshakesForAccount', {}, OTHER)).Handshakes).toEqual([Handshake]);
    expect((await rig.send('ListHandshakesForOrganization', { MaxResults: 1 })).Handshakes).toHaveLength(1);
    await rig.send('AcceptHandshake', { HandshakeId }, OTHER);
    expect((await rig.send('ListParents', { ChildId: OTHER })).Parents).toEqual([{ Id: root, Type: 'ROOT' }]);
    expect(await rig.refusal('AcceptHandshake', { HandshakeId }, OTHER)).toBe('InvalidHandshakeTransitionException');
  });

  test('is declined by the account, canceled by the organization, and by nobody else', async () => {
    const { rig } = await organization();
    const first = { HandshakeId: await rig.invite(OTHER) };
    for (const [operation, account] of [
      ['AcceptHandshake', MANAGEMENT],
      ['AcceptHandshake', MEMBER],
      ['DeclineHandshake', MANAGEMENT],
      ['CancelHandshake', OTHER],
      ['DescribeHandshake', MEMBER],
    ] as const)
      expect([operation, await rig.refusal(operation, first, account)]).toEqual([operation, 'HandshakeNotFoundException']);
    expect((await rig.send('DeclineHandshake', first, OTHER)).Handshake.State).toBe('DECLINED');
    const second = { HandshakeId: await rig.invite(OTHER) };
    expect((await rig.send('CancelHandshake', second)).Handshake.State).toBe('CANCELED');
    expect(await rig.refusal('AcceptHandshake', second, OTHER)).toBe('InvalidHandshakeTransitionException');
    expect(await rig.refusal('CancelHandshake', second)).toBe('InvalidHandshakeTransitionException');
  });

  test('ends after fifteen days', async () => {
    const { rig } = await organization();
    const input = { HandshakeId: await rig.invite(OTHER) };
    await rig.clock.advance(15 * DAY_MS);
    expect((await rig.send('DescribeHandshake', input)).Handshake.State).toBe('EXPIRED');
    expect(await rig.refusal('AcceptHandshake', input, OTHER)).toBe('InvalidHandshakeTransitionException');
  });

  test('is refused to a member, a second time, to what is no account, and to accept for one that is in another organization', async () => {
    const { rig } = await organization();
    const to = (Id: string, Type = 'ACCOUNT') => ({ Target: { Type, Id } });
    const invite = (input: Input) => rig.refusal('InviteAccountToOrganization', input);
    expect(await invite(to(MEMBER))).toBe('HandshakeConstraintViolationException ALREADY_IN_AN_ORGANIZATION');
    const HandshakeId = await rig.invite(OTHER);
    expect(await invite(to(OTHER))).toBe('DuplicateHandshakeException');
    expect(await invite(to('a@example.com', 'EMAIL'))).toBe('InvalidInputException INVALID_PARTY_TYPE_TARGET');
    expect(await invite(to('12'))).toBe('InvalidInputException INVALID_PATTERN');
    expect(await invite({})).toBe('InvalidInputException INPUT_REQUIRED');
    await rig.send('CreateOrganization', {}, OTHER);
    const refused = 'HandshakeConstraintViolationException ALREADY_IN_AN_ORGANIZATION';
    expect(await rig.refusal('AcceptHandshake', { HandshakeId }, OTHER)).toBe(refused);
  });
});

describe('a member', () => {
  test('leaves, or is removed; the management account does neither', async () => {
    const { rig } = await organization();
    await rig.join(OTHER);
    await rig.send('LeaveOrganization', {}, OTHER);
    await rig.send('RemoveAccountFromOrganization', { AccountId: MEMBER });
    expect((await rig.send('ListAccounts')).Accounts).toHaveLength(1);
    expect(await rig.refusal('LeaveOrganization', {}, MEMBER)).toBe('AWSOrganizationsNotInUseException');
    expect(await rig.refusal('LeaveOrganization')).toBe('MasterCannotLeaveOrganizationException');
    expect(await rig.refusal('RemoveAccountFromOrganization', { AccountId: MANAGEMENT })).toBe('MasterCannotLeaveOrganizationException');
    for (const AccountId of [MEMBER, NOBODY])
      expect(await rig.refusal('RemoveAccountFromOrganization', { AccountId })).toBe('AccountNotFoundException');
  });

  test('that is a delegated administrator is deregistered first', async () => {
    const { rig } = await organization();
    const delegate = { AccountId: MEMBER, ServicePrincipal: CLOUDTRAIL };
    await rig.send('EnableAWSServiceAccess', { ServicePrincipal: CLOUDTRAIL });
    await rig.send('RegisterDelegatedAdministrator', delegate);
    const refused = 'ConstraintViolationException CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG';
    expect(await rig.refusal('LeaveOrganization', {}, MEMBER)).toBe(refused);
    expect(await rig.refusal('RemoveAccountFromOrganization', { AccountId: MEMBER })).toBe(refused);
    await rig.send('DeregisterDelegatedAdministrator', delegate);
    await rig.send('LeaveOrganization', {}, MEMBER);
  });
});

describe('units', () => {
  test('hold accounts and one another, and are renamed and deleted when they are empty', async () => {
    const { rig, root } = await organization();
    const outer = await rig.unit(root, 'outer');
    const inner = await rig.unit(outer, 'inner');
    await rig.send('MoveAccount', { AccountId: MEMBER, SourceParentId: root, DestinationParentId: inner });
    expect((await rig.send('ListAccountsForParent', { ParentId: inner })).Accounts).toMatchObject([{ Id: MEMBER }]);
    expect((await rig.send('ListParents', { ChildId: MEMBER })).Parents).toEqual([{ Id: inner, Type: 'ORGANIZATIONAL_UNIT' }]);
    expect((await rig.send('ListChildren', { ParentId: outer, ChildType: 'ORGANIZATIONAL_UNIT' })).Children).toMatchObject([{ Id: inner }]);
    expect((await rig.send('ListChildren', { ParentId: inner, ChildType: 'ACCOUNT' })).Children).toMatchObject([{ Id: MEMBER }]);
    expect((await rig.send('ListOrganizationalUnitsForParent', { ParentId: root })).OrganizationalUnits).toMatchObject([{ Name: 'outer' }]);
    for (const OrganizationalUnitId of [outer, inner])
      expect(await rig.refusal('DeleteOrganizationalUnit', { OrganizationalUnitId })).toBe('OrganizationalUnitNotEmptyException');
    await rig.send('MoveAccount', { AccountId: MEMBER, SourceParentId: inner, DestinationParentId: root });
    await rig.send('UpdateOrganizationalUnit', { OrganizationalUnitId: inner, Name: 'renamed' });
    const described = await rig.send('DescribeOrganizationalUnit', { OrganizationalUnitId: inner });
    expect(described.OrganizationalUnit).toMatchObject({ Id: inner, Name: 'renamed' });
    await rig.send('DeleteOrganizationalUnit', { OrganizationalUnitId: inner });
    expect(await rig.refusal('DescribeOrganizationalUnit', { OrganizationalUnitId: inner })).toBe('OrganizationalUnitNotFoundException');
  });

  test('are five deep at most, and no two of one parent have one name', async () => {
    const { rig, root } = await organization();
    let parent = root;
    for (const name of ['1', '2', '3', '4', '5']) parent = await rig.unit(parent, name);
    const create = (ParentId: string, Name: string) => rig.refusal('CreateOrganizationalUnit', { ParentId, Name });
    expect(await create(parent, '6')).toBe('ConstraintViolationException OU_DEPTH_LIMIT_EXCEEDED');
    expect(await create(root, '1')).toBe('DuplicateOrganizationalUnitException');
    const other = await rig.unit(root, 'other');
    const rename = { OrganizationalUnitId: other, Name: '1' };
    expect(await rig.refusal('UpdateOrganizationalUnit', rename)).toBe('DuplicateOrganizationalUnitException');
    expect(await create('r-zzzz', 'x')).toBe('ParentNotFoundException');
    expect(await create('nowhere', 'x')).toBe('InvalidInputException INVALID_PATTERN');
  });

  test('a move names where the account is and where it goes', async () => {
    const { rig, root } = await organization();
    const unit = await rig.unit(root, 'unit');
    const move = (AccountId: string, SourceParentId: string, DestinationParentId: string) =>
      rig.refusal('MoveAccount', { AccountId, SourceParentId, DestinationParentId });
    expect(await move(NOBODY, root, unit)).toBe('AccountNotFoundException');
    expect(await move(MEMBER, unit, root)).toBe('SourceParentNotFoundException');
    expect(await move(MEMBER, root, 'r-zzzz')).toBe('DestinationParentNotFoundException');
    expect(await move(MEMBER, root, root)).toBe('DuplicateAccountException');
    expect(await rig.refusal('ListParents', { ChildId: NOBODY })).toBe('ChildNotFoundException');
    expect(await rig.refusal('ListChildren', { ParentId: root, ChildType: 'X' })).toBe('InvalidInputException INVALID_ENUM');
  });
});

describe('service control policies', () => {
  test('bind what they are attached to from the root down, but not the management account', async () => {
    const { rig, root } = await withPolicies();
    const unit = await rig.unit(root, 'unit');
    await rig.send('MoveAccount', { AccountId: MEMBER, SourceParentId: root, DestinationParentId: unit });
    const PolicyId = await rig.policy('no stop');
    for (const TargetId of [unit, MEMBER]) await rig.send('AttachPolicy', { PolicyId, TargetId });
    expect(rig.directory.limitsOf(MEMBER).serviceControl.map((level) => level.length)).toEqual([1, 2, 2]);
    expect(rig.directory.limitsOf(MANAGEMENT).serviceControl).toEqual([]);
    const targets = (await rig.send('ListTargetsForPolicy', { PolicyId })).Targets;
    expect(targets).toMatchObject([{ Type: 'ACCOUNT' }, { Type: 'ORGANIZATIONAL_UNIT' }]);
    const attached = await rig.send('ListPoliciesForTarget', { TargetId: MEMBER, Filter: TYPE });
    expect(attached.Policies.map(({ Name }: { Name: string }) => Name).sort()).toEqual(['FullAWSAccess', 'no stop']);
    await rig.send('DetachPolicy', { PolicyId, TargetId: MEMBER });
    expect(rig.directory.limitsOf(MEMBER).serviceControl.map((level) => level.length)).toEqual([1, 2, 1]);
  });

  test('bind nothing and are attached to nothing where the type is not enabled', async () => {
    const { rig, root } = await withPolicies();
    const PolicyId = await rig.policy('no stop');
    await rig.send('AttachPolicy', { PolicyId, TargetId: MEMBER });
    const type = { RootId: root, PolicyType: TYPE };
    expect(await rig.refusal('EnablePolicyType', type)).toBe('PolicyTypeAlreadyEnabledException');
    await rig.send('DisablePolicyType', type);
    expect(rig.directory.limitsOf(MEMBER).serviceControl).toEqual([]);
    expect(await rig.refusal('DisablePolicyType', type)).toBe('PolicyTypeNotEnabledException');
    expect(await rig.refusal('AttachPolicy', { PolicyId, TargetId: MEMBER })).toBe('PolicyTypeNotEnabledException');
    await rig.send('EnablePolicyType', type);
    expect(rig.directory.limitsOf(MEMBER).serviceControl.map((level) => level.length)).toEqual([1, 1]);
    expect(await rig.refusal('EnablePolicyType', { ...type, RootId: 'r-zzzz' })).toBe('RootNotFoundException');
    const tags = { RootId: root, PolicyType: 'TAG_POLICY' };
    expect(await rig.refusal('EnablePolicyType', tags)).toBe('PolicyTypeNotAvailableForOrganizationException');
  });

  test('are one to five on each target, each once', async () => {
    const { rig, root } = await withPolicies();
    const TargetId = await rig.unit(root, 'unit');
    const full = { PolicyId: 'p-FullAWSAccess', TargetId };
    expect(await rig.refusal('DetachPolicy', full)).toBe('ConstraintViolationException MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED');
    expect(await rig.refusal('AttachPolicy', full)).toBe('DuplicatePolicyAttachmentException');
    const ids: string[] = [];
    for (const name of ['1', '2', '3', '4', '5']) ids.push(await rig.policy(name));
    for (const PolicyId of ids.slice(0, 4)) await rig.send('AttachPolicy', { PolicyId, TargetId });
    const fifth = { PolicyId: ids[4], TargetId };
    expect(await rig.refusal('AttachPolicy', fifth)).toBe('ConstraintViolationException MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED');
    expect(await rig.refusal('DetachPolicy', fifth)).toBe('PolicyNotAttachedException');
    expect(await rig.refusal('DeletePolicy', { PolicyId: ids[0] })).toBe('PolicyInUseException');
    expect(await rig.refusal('AttachPolicy', { PolicyId: ids[4], TargetId: NOBODY })).toBe('TargetNotFoundException');
    expect(await rig.refusal('AttachPolicy', { PolicyId: 'p-11111111', TargetId })).toBe('PolicyNotFoundException');
  });

  test('are changed and deleted, but for the one that the service keeps', async () => {
    const { rig } = await withPolicies();
    const PolicyId = await rig.policy('no stop');
    await rig.send('UpdatePolicy', { PolicyId, Description: 'other' });
    const { Policy } = await rig.send('DescribePolicy', { PolicyId });
    expect(Policy).toMatchObject({ PolicySummary: { Name: 'no stop', Description: 'other' }, Content: CONTENT });
    expect((await rig.send('ListPolicies', { Filter: TYPE })).Policies).toHaveLength(2);
    const kept = { PolicyId: 'p-FullAWSAccess' };
    expect(await rig.refusal('DeletePolicy', kept)).toBe('InvalidInputException IMMUTABLE_POLICY');
    expect(await rig.refusal('UpdatePolicy', { ...kept, Name: 'x' })).toBe('InvalidInputException IMMUTABLE_POLICY');
    const create = (input: Input) => rig.refusal('CreatePolicy', { Name: 'new', Description: '', Content: CONTENT, Type: TYPE, ...input });
    expect(await create({ Name: 'no stop' })).toBe('DuplicatePolicyException');
    expect(await create({ Name: 'FullAWSAccess' })).toBe('DuplicatePolicyException');
    expect(await create({ Content: '{}' })).toBe('MalformedPolicyDocumentException');
    expect(await create({ Content: `${CONTENT}${' '.repeat(5_120)}` })).toBe('ConstraintViolationException POLICY_CONTENT_LIMIT_EXCEEDED');
    expect(await create({ Type: 'TAG_POLICY' })).toBe('PolicyTypeNotAvailableForOrganizationException');
    await rig.send('DeletePolicy', { PolicyId });
    expect(await rig.refusal('DescribePolicy', { PolicyId })).toBe('PolicyNotFoundException');
  });

  test('need an organization with all features', async () => {
    const rig = new Rig();
    await rig.open();
    await rig.send('CreateOrganization', { FeatureSet: 'CONSOLIDATED_BILLING' });
    const input = { Name: 'new', Description: '', Content: CONTENT, Type: TYPE };
    expect(await rig.refusal('CreatePolicy', input)).toBe('PolicyTypeNotAvailableForOrganizationException');
    const service = { ServicePrincipal: CLOUDTRAIL };
    const refused = 'ConstraintViolationException ORGANIZATION_NOT_IN_ALL_FEATURES_MODE';
    expect(await rig.refusal('EnableAWSServiceAccess', service)).toBe(refused);
    expect(await rig.refusal('CreateOrganization', { FeatureSet: 'SOME' }, OTHER)).toBe('InvalidInputException INVALID_ENUM');
  });
});

describe('a trusted service', () => {
  const service = { ServicePrincipal: CLOUDTRAIL };

  test('is one too many after a hundred, which is not for want of access', async () => {
    const { rig } = await organization();
    const enable = (number: number) => ({ ServicePrincipal: `service-${number}.amazonaws.com` });
    for (let number = 1; number <= 100; number++) await rig.send('EnableAWSServiceAccess', enable(number));
    expect(await rig.refusal('EnableAWSServiceAccess', enable(101))).toBe('ConstraintViolationException');
    expect(await rig.refusal('EnableAWSServiceAccess', enable(100))).toBe('not refused');
  });

  test('is listed from when it was enabled, and not disabled while it has trails or delegates', async () => {
    const { rig } = await organization();
    const listed = async () => (await rig.send('ListAWSServiceAccessForOrganization')).EnabledServicePrincipals;
    await rig.send('EnableAWSServiceAccess', service);
    await rig.send('EnableAWSServiceAccess', service);
    expect(await listed()).toEqual([{ ServicePrincipal: CLOUDTRAIL, DateEnabled: START_MS / 1000 }]);
    await rig.send('RegisterDelegatedAdministrator', { AccountId: MEMBER, ...service });
    const delegated = 'ConstraintViolationException DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE';
    expect(await rig.refusal('DisableAWSServiceAccess', service)).toBe(delegated);
    await rig.send('DeregisterDelegatedAdministrator', { AccountId: MEMBER, ...service });
    rig.hasTrails = true;
    const hasTrails = 'ConstraintViolationException POLICY_TYPE_ENABLED_FOR_THIS_SERVICE';
    expect(await rig.refusal('DisableAWSServiceAccess', service)).toBe(hasTrails);
    rig.hasTrails = false;
    await rig.send('DisableAWSServiceAccess', service);
    expect(await listed()).toEqual([]);
  });

  test('has three delegated administrators at most, who may look at the organization and not change it', async () => {
    const { rig, root } = await organization();
    const delegate = (AccountId: string) => ({ AccountId, ...service });
    const enabled = 'ConstraintViolationException SERVICE_ACCESS_NOT_ENABLED';
    expect(await rig.refusal('RegisterDelegatedAdministrator', delegate(MEMBER))).toBe(enabled);
    await rig.send('EnableAWSServiceAccess', service);
    await rig.send('RegisterDelegatedAdministrator', delegate(MEMBER));
    expect(await rig.send('ListDelegatedServicesForAccount', { AccountId: MEMBER })).toEqual({
      DelegatedServices: [{ ServicePrincipal: CLOUDTRAIL, DelegationEnabledDate: START_MS / 1000 }],
    });
    expect((await rig.send('ListDelegatedAdministrators', service, MEMBER)).DelegatedAdministrators).toMatchObject([{ Id: MEMBER }]);
    expect(await rig.refusal('CreateOrganizationalUnit', { ParentId: root, Name: 'x' }, MEMBER)).toBe('AccessDeniedException');

    const register = (account: string) => rig.refusal('RegisterDelegatedAdministrator', delegate(account));
    expect(await register(MEMBER)).toBe('AccountAlreadyRegisteredException');
    expect(await register(NOBODY)).toBe('AccountNotFoundException');
    expect(await register(MANAGEMENT)).toBe('ConstraintViolationException CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR');
    const others = ['444444444441', '444444444442', '444444444443'].map((account) => account as AccountId);
    for (const account of others) await rig.join(account);
    for (const account of others.slice(0, 2)) await rig.send('RegisterDelegatedAdministrator', delegate(account));
    const tooMany = 'ConstraintViolationException MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED';
    expect(await register(others[2]!)).toBe(tooMany);
    expect(await rig.refusal('DeregisterDelegatedAdministrator', delegate(others[2]!))).toBe('AccountNotRegisteredException');
    expect(await rig.refusal('ListDelegatedServicesForAccount', { AccountId: others[2] })).toBe('AccountNotRegisteredException');
  });
});

describe('tags', () => {
  const tag = (Key: string, Value = 'x') => ({ Key, Value });
  const tagsOf = async (rig: Rig, ResourceId: string, caller?: AccountId) =>
    (await rig.send('ListTagsForResource', { ResourceId }, caller)).Tags;

  test('are put on the root, units, policies and accounts, listed, replaced, and taken away', async () => {
    const { rig, root } = await withPolicies();
    for (const ResourceId of [root, await rig.unit(root, 'Workloads'), await rig.policy('Guard'), MEMBER, MANAGEMENT]) {
      expect(await tagsOf(rig, ResourceId)).toEqual([]);
      await rig.send('TagResource', { ResourceId, Tags: [tag('Team', 'Red'), tag('Env')] });
      await rig.send('TagResource', { ResourceId, Tags: [tag('Team', '')] });
      expect(await tagsOf(rig, ResourceId)).toEqual([tag('Env'), tag('Team', '')]);
      await rig.open();
      await rig.send('UntagResource', { ResourceId, TagKeys: ['Env', 'Absent'] });
      expect(await tagsOf(rig, ResourceId)).toEqual([tag('Team', '')]);
    }
  });

  test('come with what is made, and with the account that accepts an invitation', async () => {
    const { rig, root } = await withPolicies();
    const Tags = [tag('Team', 'Red')];
    const unit = await rig.send('CreateOrganizationalUnit', { ParentId: root, Name: 'Workloads', Tags });
    const policy = await rig.send('CreatePolicy', { Name: 'Guard', Description: '', Content: CONTENT, Type: TYPE, Tags });
    const made = await rig.send('CreateAccount', { Email: 'prod@example.com', AccountName: 'Blizzard-Prod', Tags });
    const { Handshake } = await rig.send('InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: OTHER }, Tags });
    await rig.send('AcceptHandshake', { HandshakeId: Handshake.Id }, OTHER);
    for (const id of [unit.OrganizationalUnit.Id, policy.Policy.PolicySummary.Id, made.CreateAccountStatus.AccountId, OTHER])
      expect(await tagsOf(rig, id)).toEqual(Tags);
  });

  test('go with what they are on', async () => {
    const { rig } = await organization();
    await rig.send('TagResource', { ResourceId: MEMBER, Tags: [tag('Team')] });
    await rig.send('RemoveAccountFromOrganization', { AccountId: MEMBER });
    await rig.join(MEMBER);
    expect(await tagsOf(rig, MEMBER)).toEqual([]);
  });

  test('are changed by the management account alone; what is not of its organization is not found', async () => {
    const { rig, root } = await organization();
    const Tags = [tag('Team')];
    for (const ResourceId of [root, MEMBER])
      expect(await rig.refusal('TagResource', { ResourceId, Tags }, MEMBER)).toBe('AccessDeniedException');
    expect(await rig.refusal('ListTagsForResource', { ResourceId: root }, MEMBER)).toBe('AccessDeniedException');
    for (const ResourceId of [OTHER, NOBODY, 'p-12345678', 'ou-abcd-12345678', 'r-zzzz'])
      for (const name of ['TagResource', 'UntagResource', 'ListTagsForResource'])
        expect(await rig.refusal(name, { ResourceId, Tags, TagKeys: ['Team'] })).toBe('TargetNotFoundException');
    expect(await rig.refusal('TagResource', { ResourceId: 'p-FullAWSAccess', Tags })).toBe('InvalidInputException IMMUTABLE_POLICY');
  });

  test.each([
    [undefined, 'InvalidInputException INPUT_REQUIRED'],
    ['Team', 'InvalidInputException INVALID_LIST_MEMBER'],
    [['Team'], 'InvalidInputException INVALID_LIST_MEMBER'],
    [[{ Key: 'Team' }], 'InvalidInputException INPUT_REQUIRED'],
    [[tag('')], 'InvalidInputException MIN_LENGTH_EXCEEDED'],
    [[tag('k'.repeat(129))], 'InvalidInputException MAX_LENGTH_EXCEEDED'],
    [[tag('k', 'v'.repeat(257))], 'InvalidInputException MAX_LENGTH_EXCEEDED'],
    [[tag('k', 'a*')], 'InvalidInputException INVALID_PATTERN'],
    [[tag('aws:k')], 'InvalidInputException INVALID_SYSTEM_TAGS_PARAMETER'],
    [[tag('k'), tag('k', 'y')], 'InvalidInputException DUPLICATE_TAG_KEY'],
    [Array.from({ length: 51 }, (_, index) => tag(`k${index}`)), 'ConstraintViolationException MAX_TAG_LIMIT_EXCEEDED'],
  ])('that are not valid, or too many, are refused: %#, %s', async (Tags, refused) => {
    const { rig, root } = await organization();
    await rig.send('TagResource', { ResourceId: root, Tags: [tag('before')] });
    expect(await rig.refusal('TagResource', { ResourceId: root, Tags })).toBe(refused);
    expect(await tagsOf(rig, root)).toEqual([tag('before')]);
  });

  test('of one thing are fifty at most, over several calls as well', async () => {
    const { rig, root } = await organization();
    await rig.send('TagResource', { ResourceId: root, Tags: Array.from({ length: 50 }, (_, index) => tag(`k${index}`)) });
    expect(await rig.refusal('TagResource', { ResourceId: root, Tags: [tag('more')] })).toBe(
      'ConstraintViolationException MAX_TAG_LIMIT_EXCEEDED',
    );
    expect(await rig.refusal('TagResource', { ResourceId: root, Tags: [tag('k7', 'y')] })).toBe('not refused');
  });
});

describe('lists', () => {
  test('go page by page, of twenty at most', async () => {
    const { rig, root } = await organization();
    const made: string[] = [];
    for (let number = 0; number < 21; number++) made.push(await rig.unit(root, `unit ${number}`));
    const first = await rig.send('ListOrganizationalUnitsForParent', { ParentId: root });
    expect(first.OrganizationalUnits).toHaveLength(20);
    const second = await rig.send('ListOrganizationalUnitsForParent', { ParentId: root, NextToken: first.NextToken });
    const ids = [...first.OrganizationalUnits, ...second.OrganizationalUnits].map(({ Id }) => Id);
    expect([ids, second.NextToken]).toEqual([made.toSorted(), undefined]);
    const refused = (input: Input) => rig.refusal('ListAccounts', input);
    expect(await refused({ MaxResults: 0 })).toBe('InvalidInputException MIN_VALUE_EXCEEDED');
    expect(await refused({ MaxResults: 21 })).toBe('InvalidInputException MAX_VALUE_EXCEEDED');
    expect(await refused({ MaxResults: '1' })).toBe('InvalidInputException INVALID_PATTERN');
    expect(await refused({ NextToken: 'after:1' })).toBe('InvalidInputException INVALID_NEXT_TOKEN');
    expect(await refused({ NextToken: first.NextToken })).toBe('InvalidInputException INVALID_NEXT_TOKEN');
  });
});
