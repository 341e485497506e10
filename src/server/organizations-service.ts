/**
 * Organizations as a service of the server, with what it needs of accounts and trails.
 */
import type { Accounts } from '../access/accounts.ts';
import type { OperationTable } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import type { Service } from '../http/ports.ts';
import type { Directory } from '../organizations/directory.ts';
import { organizationsOperations, UNBUILT } from '../organizations/operations.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { PageTokens } from '../store/page-tokens.ts';
import type { Trails } from '../trail/create-trails.ts';

/** Operations on organizations, by service. */
export function organizationsOf(parts: {
  readonly directory: Directory;
  readonly accounts: Accounts;
  readonly trails: Pick<Trails, 'hasOrganizationTrails'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tokens: PageTokens;
  /** The account for whose organization the operator may have chosen an id. */
  readonly administrator: AccountId;
  readonly chosenId: string | undefined;
}): ReturnType<typeof organizationsOperations> {
  const { directory, accounts, trails, clock, chance, tokens, administrator, chosenId } = parts;
  return organizationsOperations({
    directory,
    clock,
    chance,
    tokens,
    accounts: {
      exists: (account) => accounts.exists(account),
      nameOf: (account) => accounts.list().find((info) => info.account === account)?.name ?? account,
      prepare: (account, name) => accounts.prepareAccount(account, name),
    },
    hasTrails: (organization) => trails.hasOrganizationTrails(organization),
    chosenId: (account) => (account === administrator ? chosenId : undefined),
  });
}

export function organizationsService(operations: OperationTable): Service {
  return {
    protocol: 'aws-json',
    eventSource: 'organizations.amazonaws.com',
    apiVersion: '2016-11-28',
    operations,
    modelled: UNBUILT,
  };
}
