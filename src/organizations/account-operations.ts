/**
 * `ListAccounts`, `DescribeAccount`, `CreateAccount` and what became of it, `RemoveAccountFromOrganization`, `LeaveOrganization`.
 *
 * Only the account that administers the installation may make accounts (DESIGN §6): an organization of another account grows by
 * invitation. An account is made with a root key that the operator alone can read, in the data directory.
 */
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { type Membership, membershipKey, type Organization } from '../store/organization.ts';
import type { Plan } from './directory.ts';
import { type AccountRequest, arnOf, FULL_ACCESS, requestKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, placeOf, randomText, readableBy, reading, seconds } from './operation-kinds.ts';
import { accountId, type Input, text } from './read-input.ts';
import { accessDenied, constraint, invalidInput, refusal } from './refusals.ts';
import { readTags, tagging, takingTags, untagging } from './tags.ts';

/** Most accounts of one organization: each is in the state of every trail of it. */
export const ACCOUNTS_MAX = 10_000;

export function accountOperations(deps: OrganizationsDeps): readonly Operation[] {
  return [
    listing<Membership>(deps, 'ListAccounts', (call) => {
      const organization = readableBy(deps, call);
      return {
        all: deps.directory.members(organization),
        idOf: ({ account }) => account,
        answer: (items) => ({ Accounts: items.map((member) => accountOutput(organization, member)) }),
      };
    }),
    reading('DescribeAccount', (call, input) => {
      const organization = readableBy(deps, call);
      return { Account: accountOutput(organization, requireMember(deps, organization, accountId(input))) };
    }),
    takingTags(createAccount(deps)),
    reading('DescribeCreateAccountStatus', (call, input) => {
      const id = text(input, 'CreateAccountRequestId');
      const request = deps.directory.requests(readableBy(deps, call)).find((each) => each.id === id);
      if (request === undefined) throw refusal('CreateAccountStatusNotFoundException', `There is no request \`${id}\` for an account.`);
      return { CreateAccountStatus: requestOutput(request) };
    }),
    listing<AccountRequest>(deps, 'ListCreateAccountStatus', (call, input) => {
      const states = readStates(input);
      return {
        all: deps.directory.requests(readableBy(deps, call)).filter(({ state }) => states?.includes(state) ?? true),
        idOf: ({ id }) => id,
        answer: (items) => ({ CreateAccountStatuses: items.map(requestOutput) }),
      };
    }),
    changing(
      deps,
      'RemoveAccountFromOrganization',
      (call, input) => {
        const account = accountId(input);
        return () => {
          const organization = managedBy(deps, call);
          return leave(deps, organization, requireMember(deps, organization, account));
        };
      },
      (call, input) => narrowingOf(deps, call, accountId(input)),
    ),
    changing(
      deps,
      'LeaveOrganization',
      (call) => () => {
        const { organization, membership } = placeOf(deps, call);
        return leave(deps, organization, membership);
      },
      (call) => narrowingOf(deps, call, call.account),
    ),
  ] as readonly Operation[];
}

function createAccount(deps: OrganizationsDeps): Operation<Input, object> {
  return {
    name: 'CreateAccount',
    isReadOnly: false,
    decide: async (call, input) => {
      const organization = managedBy(deps, call);
      if (!call.principal.isAdministrator) throw accessDenied();
      const tags = readTags(input);
      const [email, name] = [text(input, 'Email'), text(input, 'AccountName')];
      const nowMs = deps.clock.nowMs();
      const account = freeAccount(deps);
      const base = {
        ...{ id: `car-${randomText(deps, 32)}`, organizationId: organization.id, accountName: name },
        ...{ requestedAtMs: nowMs, completedAtMs: nowMs },
      };
      const made = await deps.accounts.prepare(account, name);
      const plan = (): Plan<object> & { readonly isMade: boolean } => {
        const members = deps.directory.members(managedBy(deps, call));
        const isTaken = members.some((member) => member.email === email);
        if (!isTaken && members.length >= ACCOUNTS_MAX)
          throw constraint('ACCOUNT_NUMBER_LIMIT_EXCEEDED', `The organization has ${ACCOUNTS_MAX} accounts already.`);
        const request: AccountRequest = isTaken
          ? { ...base, state: 'FAILED', failureReason: 'EMAIL_ALREADY_EXISTS' }
          : { ...base, state: 'SUCCEEDED', account };
        const member: Membership = {
          ...{ account, organizationId: organization.id, management: organization.management, name, email },
          ...{ joinedMethod: 'CREATED', joinedAtMs: nowMs, parent: organization.rootId, policies: [FULL_ACCESS.id], delegations: [] },
        };
        return {
          organization,
          changes: [
            { key: requestKey(request), value: request },
            ...(isTaken ? [] : [{ key: membershipKey(account), value: member }, ...tagging(organization, account, tags)]),
          ],
          output: { CreateAccountStatus: requestOutput(request) },
          isMade: !isTaken,
        };
      };
      const { output, isMade } = plan();
      return {
        output,
        changes: isMade ? made.changes : [],
        apply: async () => {
          // An account without a membership is one that nobody uses yet; a member without an account would be none.
          if (isMade) await made.save();
          await deps.directory.change(call, 'CreateAccount', plan);
        },
      };
    },
  };
}

function freeAccount(deps: OrganizationsDeps): AccountId {
  for (;;) {
    const account = [...deps.chance.bytes(12)].map((byte) => byte % 10).join('') as AccountId;
    if (!deps.accounts.exists(account)) return account;
  }
}

/** @throws ApiError AccountNotFoundException, the same for accounts of others and for those that do not exist. */
export function requireMember({ directory }: OrganizationsDeps, organization: Organization, account: AccountId): Membership {
  const member = directory.membership(account);
  if (member?.organizationId === organization.id) return member;
  throw refusal('AccountNotFoundException', `You specified an account that doesn't exist: ${account}.`);
}

async function narrowingOf(deps: OrganizationsDeps, call: Call, account: AccountId): Promise<string | undefined> {
  const { organization } = placeOf(deps, call);
  if (!(await deps.hasTrails(organization))) return undefined;
  return `the trails of the organization ${organization.id} do not deliver for account ${account} any more`;
}

function leave(deps: OrganizationsDeps, organization: Organization, { account, delegations }: Membership): Plan<object> {
  if (account === organization.management)
    throw refusal('MasterCannotLeaveOrganizationException', 'The management account cannot leave its organization: delete it instead.');
  if (delegations.length > 0)
    throw constraint(
      'CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG',
      `Account ${account} is a delegated administrator of ${delegations.map(({ servicePrincipal }) => servicePrincipal).join(', ')}: deregister it first.`,
    );
  return {
    organization,
    changes: [{ key: membershipKey(account), value: undefined }, ...untagging(deps, organization, account)],
    output: {},
  };
}

/** A member account as clients see it. */
export function accountOutput(organization: Organization, member: Membership): object {
  return {
    Id: member.account,
    Arn: arnOf(organization, 'account', member.account),
    ...(member.email === undefined ? {} : { Email: member.email }),
    Name: member.name,
    Status: 'ACTIVE',
    State: 'ACTIVE',
    JoinedMethod: member.joinedMethod,
    JoinedTimestamp: seconds(member.joinedAtMs),
  };
}

function requestOutput(request: AccountRequest): object {
  return {
    Id: request.id,
    AccountName: request.accountName,
    State: request.state,
    RequestedTimestamp: seconds(request.requestedAtMs),
    CompletedTimestamp: seconds(request.completedAtMs),
    ...(request.account === undefined ? {} : { AccountId: request.account }),
    ...(request.failureReason === undefined ? {} : { FailureReason: request.failureReason }),
  };
}

function readStates(input: Input): readonly string[] | undefined {
  const states = input['States'];
  if (states === undefined || states === null) return undefined;
  if (!Array.isArray(states)) throw invalidInput('INVALID_LIST_MEMBER', 'States must be a list of IN_PROGRESS, SUCCEEDED, FAILED.');
  return states.map(String);
}
