/**
 * What all operations of the Organizations API share: who may call, how they read, and how they change.
 *
 * Source: AWS Organizations API Reference ("This operation can be called only from the organization's management account or by a member
 * account that is a delegated administrator").
 */
import { type Call, type Decision, type Operation, REPEATS_MS } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Membership, Organization } from '../store/organization.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { Directory, Plan } from './directory.ts';
import type { Input } from './read-input.ts';
import { accessDenied, notInUse } from './refusals.ts';

/** What organizations need of the accounts of the installation. */
export interface KnownAccounts {
  readonly exists: (account: AccountId) => boolean;
  readonly nameOf: (account: AccountId) => string;
  /** Prepares an account with its first key, which the operator alone can read; `save` makes it, if it is not there yet. */
  readonly prepare: (
    account: AccountId,
    name: string,
  ) => Promise<{ readonly save: () => Promise<unknown> } & Required<Pick<Decision<object>, 'changes'>>>;
}

export interface OrganizationsDeps {
  readonly directory: Directory;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly chance: Pick<Chance, 'bytes'>;
  readonly tokens: PageTokens;
  readonly accounts: KnownAccounts;
  /** Whether the organization has trails of its own. */
  readonly hasTrails: (organization: Organization) => Promise<boolean>;
  /** The id that the operator chose for the organization of this account; absent: any. */
  readonly chosenId: (account: AccountId) => string | undefined;
}

interface Place {
  readonly organization: Organization;
  readonly membership: Membership;
}

/** The caller's organization. @throws ApiError AWSOrganizationsNotInUseException */
export function placeOf({ directory }: OrganizationsDeps, call: Call): Place {
  const membership = directory.membership(call.account);
  const organization = membership && directory.organization(membership.organizationId);
  if (membership === undefined || organization === undefined) throw notInUse();
  return { organization, membership };
}

/** The organization that the caller manages. @throws ApiError AWSOrganizationsNotInUseException, AccessDeniedException */
export function managedBy(deps: OrganizationsDeps, call: Call): Organization {
  const { organization } = placeOf(deps, call);
  if (organization.management !== call.account) throw accessDenied();
  return organization;
}

/** The organization that the caller may look at: as its management account, or as a delegated administrator of any service. */
export function readableBy(deps: OrganizationsDeps, call: Call): Organization {
  const { organization, membership } = placeOf(deps, call);
  if (organization.management !== call.account && membership.delegations.length === 0) throw accessDenied();
  return organization;
}

export function reading(name: string, answer: (call: Call, input: Input) => object): Operation<Input, object> {
  return { name, isReadOnly: true, decide: async (call, input) => ({ output: answer(call, input) }) };
}

/**
 * An operation that changes something.
 * @param narrowing What of the record gets smaller, as a clause.
 * @param prepare What is chosen once (ids, times); the plan that it gives is made when the call is decided and again when its turn comes.
 */
export function changing(
  { directory }: OrganizationsDeps,
  name: string,
  prepare: (call: Call, input: Input) => () => Plan<object>,
  narrowing?: (call: Call, input: Input) => Promise<string | undefined>,
): Operation<Input, object> {
  return {
    name,
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const plan = prepare(call, input);
      const { output } = plan();
      const narrows = await narrowing?.(call, input);
      return {
        output,
        ...(narrows === undefined ? {} : { narrows }),
        ...(Object.keys(output).length === 0 ? { responseElements: null } : {}),
        apply: () => directory.change(call, name, plan),
      };
    },
  };
}

/** Random lower-case letters and digits, for ids. */
export function randomText({ chance }: Pick<OrganizationsDeps, 'chance'>, length: number): string {
  // 36 does not divide 256: the little that the first letters are likelier tells nobody anything.
  return [...chance.bytes(length)].map((byte) => (byte % 36).toString(36)).join('');
}

/** A time in answers: seconds since 1970. */
export function seconds(ms: number): number {
  return ms / 1000;
}
