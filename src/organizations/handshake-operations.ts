/**
 * Invitations: how an account that is there already joins an organization. The management account invites, the account itself accepts.
 *
 * An invitation says nothing of whether the account exists: it can be made for any number, and only its owner can answer it.
 */
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { type Membership, membershipKey, type Organization } from '../store/organization.ts';
import { ACCOUNTS_MAX } from './account-operations.ts';
import type { Plan } from './directory.ts';
import { arnOf, FULL_ACCESS, type Handshake, handshakeKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, randomText, reading, seconds } from './operation-kinds.ts';
import { type Input, optionalText, text } from './read-input.ts';
import { handshakeConstraint, invalidInput, refusal } from './refusals.ts';
import { readTags, tagging, takingTags } from './tags.ts';

const DAY_MS = 24 * 3600 * 1000;
const VALID_MS = 15 * DAY_MS;
/** What is over is shown for so long. */
const KEPT_MS = 30 * DAY_MS;
/** Most invitations of one organization that nobody has answered. */
const OPEN_MAX = 100;

type ShownState = Handshake['state'] | 'EXPIRED';

export function handshakeOperations(deps: OrganizationsDeps): readonly Operation[] {
  const { directory } = deps;
  return [
    takingTags(invite(deps)),
    accept(deps),
    changing(deps, 'DeclineHandshake', (call, input) => {
      const id = text(input, 'HandshakeId');
      return () =>
        close(
          deps,
          openFor(deps, call, id, ({ target }) => target),
          'DECLINED',
        );
    }),
    changing(deps, 'CancelHandshake', (call, input) => {
      const id = text(input, 'HandshakeId');
      return () =>
        close(
          deps,
          openFor(deps, call, id, ({ management }) => management),
          'CANCELED',
        );
    }),
    reading('DescribeHandshake', (call, input) => {
      const handshake = find(deps, call, text(input, 'HandshakeId'), ({ target, management }) => [target, management]);
      return { Handshake: outputOf(deps, handshake) };
    }),
    listing<Handshake>(deps, 'ListHandshakesForAccount', (call, input) =>
      handshakeList(
        deps,
        input,
        directory.handshakes().filter(({ target }) => target === call.account),
      ),
    ),
    listing<Handshake>(deps, 'ListHandshakesForOrganization', (call, input) => {
      const { id } = managedBy(deps, call);
      return handshakeList(
        deps,
        input,
        directory.handshakes().filter(({ organizationId }) => organizationId === id),
      );
    }),
  ] as readonly Operation[];
}

function invite(deps: OrganizationsDeps): Operation<Input, object> {
  return changing(deps, 'InviteAccountToOrganization', (call, input) => {
    const target = readTarget(input);
    const notes = optionalText(input, 'Notes');
    const tags = readTags(input);
    const id = `h-${randomText(deps, 32)}`;
    const nowMs = deps.clock.nowMs();
    return () => {
      const organization = managedBy(deps, call);
      if (deps.directory.membership(target)?.organizationId === organization.id)
        throw handshakeConstraint('ALREADY_IN_AN_ORGANIZATION', `Account ${target} is in the organization already.`);
      const own = deps.directory.handshakes().filter(({ organizationId }) => organizationId === organization.id);
      const open = own.filter((each) => stateOf(deps, each) === 'OPEN');
      if (open.some((each) => each.target === target))
        throw refusal('DuplicateHandshakeException', `An invitation of account ${target} waits for its answer already.`);
      if (open.length >= OPEN_MAX)
        throw handshakeConstraint('HANDSHAKE_RATE_LIMIT_EXCEEDED', `${OPEN_MAX} invitations wait for their answer already.`);
      const base = { id, organizationId: organization.id, management: organization.management, target, state: 'OPEN' } as const;
      const handshake: Handshake = {
        ...base,
        ...{ requestedAtMs: nowMs, expiresAtMs: nowMs + VALID_MS },
        ...(notes === undefined ? {} : { notes }),
        ...(tags.length === 0 ? {} : { tags }),
      };
      const old = own.filter((each) => each.expiresAtMs + KEPT_MS < nowMs);
      return {
        organization,
        changes: [
          { key: handshakeKey(handshake), value: handshake },
          ...old.map((each) => ({ key: handshakeKey(each), value: undefined })),
        ],
        output: { Handshake: handshakeOutput(deps, organization, handshake) },
      };
    };
  });
}

function accept(deps: OrganizationsDeps): Operation<Input, object> {
  return changing(deps, 'AcceptHandshake', (call, input) => {
    const id = text(input, 'HandshakeId');
    const nowMs = deps.clock.nowMs();
    return () => {
      const handshake = openFor(deps, call, id, ({ target }) => target);
      const organization = deps.directory.organization(handshake.organizationId)!;
      if (deps.directory.membership(call.account) !== undefined)
        throw handshakeConstraint('ALREADY_IN_AN_ORGANIZATION', 'Your account is already a member of an organization.');
      if (deps.directory.members(organization).length >= ACCOUNTS_MAX)
        throw handshakeConstraint('ACCOUNT_NUMBER_LIMIT_EXCEEDED', `The organization has ${ACCOUNTS_MAX} accounts already.`);
      const member: Membership = {
        ...{ account: call.account, organizationId: organization.id, management: organization.management },
        ...{ name: deps.accounts.nameOf(call.account), joinedMethod: 'INVITED', joinedAtMs: nowMs },
        ...{ parent: organization.rootId, policies: [FULL_ACCESS.id], delegations: [] },
      };
      const closed = close(deps, handshake, 'ACCEPTED');
      const tagged = tagging(organization, call.account, handshake.tags ?? []);
      return { ...closed, changes: [...closed.changes, { key: membershipKey(call.account), value: member }, ...tagged] };
    };
  });
}

function readTarget(input: Input): AccountId {
  const target = input['Target'];
  if (typeof target !== 'object' || target === null) throw invalidInput('INPUT_REQUIRED', 'You must specify a value for Target.');
  const { Type: type, Id: id } = target as Input;
  if (type !== 'ACCOUNT')
    throw invalidInput('INVALID_PARTY_TYPE_TARGET', 'Target.Type must be ACCOUNT: accounts are invited by their number here.');
  return text({ AccountId: id }, 'AccountId') as AccountId;
}

/** @throws ApiError HandshakeNotFoundException, the same for handshakes of others. */
function find(
  { directory }: OrganizationsDeps,
  call: Call,
  id: string,
  partiesOf: (handshake: Handshake) => readonly AccountId[],
): Handshake {
  const found = directory.handshakes().find((each) => each.id === id && partiesOf(each).includes(call.account));
  if (found === undefined) throw refusal('HandshakeNotFoundException', `There is no handshake \`${id}\`.`);
  return found;
}

/** One that waits for the answer of this party. @throws ApiError */
function openFor(deps: OrganizationsDeps, call: Call, id: string, partyOf: (handshake: Handshake) => AccountId): Handshake {
  const handshake = find(deps, call, id, (each) => [partyOf(each)]);
  const state = stateOf(deps, handshake);
  if (state !== 'OPEN') throw refusal('InvalidHandshakeTransitionException', `The handshake \`${id}\` is ${state}.`);
  return handshake;
}

function close(deps: OrganizationsDeps, handshake: Handshake, state: Handshake['state']): Plan<object> {
  const organization = deps.directory.organization(handshake.organizationId)!;
  const closed = { ...handshake, state };
  return {
    organization,
    changes: [{ key: handshakeKey(handshake), value: closed }],
    output: { Handshake: handshakeOutput(deps, organization, closed) },
  };
}

function stateOf({ clock }: OrganizationsDeps, { state, expiresAtMs }: Handshake): ShownState {
  return state === 'OPEN' && clock.nowMs() >= expiresAtMs ? 'EXPIRED' : state;
}

function handshakeList(deps: OrganizationsDeps, input: Input, handshakes: readonly Handshake[]) {
  const filter = (input['Filter'] ?? {}) as Input;
  const isShown = filter['ActionType'] === undefined || filter['ActionType'] === 'INVITE';
  if (filter['ParentHandshakeId'] !== undefined)
    throw invalidInput('INVALID_PATTERN', 'Filter.ParentHandshakeId is for handshakes that are made of others: there are none.');
  return {
    all: isShown ? handshakes : [],
    idOf: ({ id }: Handshake) => id,
    answer: (items: readonly Handshake[]) => ({ Handshakes: items.map((each) => outputOf(deps, each)) }),
  };
}

function outputOf(deps: OrganizationsDeps, handshake: Handshake): object {
  return handshakeOutput(deps, deps.directory.organization(handshake.organizationId)!, handshake);
}

function handshakeOutput(deps: OrganizationsDeps, organization: Organization, handshake: Handshake): object {
  return {
    Id: handshake.id,
    Arn: arnOf(organization, 'handshake', `invite/${handshake.id}`),
    Parties: [
      { Id: organization.id.slice(2), Type: 'ORGANIZATION' },
      { Id: handshake.target, Type: 'ACCOUNT' },
    ],
    State: stateOf(deps, handshake),
    RequestedTimestamp: seconds(handshake.requestedAtMs),
    ExpirationTimestamp: seconds(handshake.expiresAtMs),
    Action: 'INVITE',
    Resources: [
      {
        Type: 'ORGANIZATION',
        Value: organization.id,
        Resources: [
          { Type: 'MASTER_NAME', Value: deps.accounts.nameOf(organization.management) },
          { Type: 'ORGANIZATION_FEATURE_SET', Value: organization.featureSet },
        ],
      },
      { Type: 'ACCOUNT', Value: handshake.target },
      ...(handshake.notes === undefined ? [] : [{ Type: 'NOTES', Value: handshake.notes }]),
    ],
  };
}
