/**
 * Organizational units: a tree below the root that holds the accounts, so that policies bind many of them at once.
 */
import type { Operation } from '../api/operation.ts';
import { type Membership, membershipKey, type Organization } from '../store/organization.ts';
import { accountOutput, requireMember } from './account-operations.ts';
import { arnOf, FULL_ACCESS, type Unit, unitKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, randomText, readableBy, reading } from './operation-kinds.ts';
import { accountId, optionalText, text, word } from './read-input.ts';
import { constraint, refusal } from './refusals.ts';
import { readTags, tagging, takingTags, untagging } from './tags.ts';

const UNITS_MAX = 2_000;
/** Units below one another; the root is above them. */
const DEPTH_MAX = 5;

export function unitOperations(deps: OrganizationsDeps): readonly Operation[] {
  const { directory } = deps;
  return [
    takingTags(createUnit(deps)),
    reading('DescribeOrganizationalUnit', (call, input) => {
      const organization = readableBy(deps, call);
      return { OrganizationalUnit: unitOutput(organization, requireUnit(deps, organization, text(input, 'OrganizationalUnitId'))) };
    }),
    renameUnit(deps),
    changing(deps, 'DeleteOrganizationalUnit', (call, input) => {
      const id = text(input, 'OrganizationalUnitId');
      return () => {
        const organization = managedBy(deps, call);
        const unit = requireUnit(deps, organization, id);
        const isHeld = [...directory.units(organization), ...directory.members(organization)].some(({ parent }) => parent === id);
        if (isHeld) throw refusal('OrganizationalUnitNotEmptyException', `The unit \`${id}\` holds accounts or units: move them first.`);
        return { organization, changes: [{ key: unitKey(unit), value: undefined }, ...untagging(deps, organization, id)], output: {} };
      };
    }),
    moveAccount(deps),
    listing<Unit>(deps, 'ListOrganizationalUnitsForParent', (call, input) => {
      const organization = readableBy(deps, call);
      const id = requireParent(deps, organization, text(input, 'ParentId'));
      return {
        all: directory.units(organization).filter(({ parent }) => parent === id),
        idOf: (unit) => unit.id,
        answer: (items) => ({ OrganizationalUnits: items.map((unit) => unitOutput(organization, unit)) }),
      };
    }),
    listing<Membership>(deps, 'ListAccountsForParent', (call, input) => {
      const organization = readableBy(deps, call);
      const id = requireParent(deps, organization, text(input, 'ParentId'));
      return {
        all: directory.members(organization).filter(({ parent }) => parent === id),
        idOf: ({ account }) => account,
        answer: (items) => ({ Accounts: items.map((member) => accountOutput(organization, member)) }),
      };
    }),
    reading('ListParents', (call, input) => {
      const organization = readableBy(deps, call);
      const id = text(input, 'ChildId');
      const child = directory.members(organization).find(({ account }) => account === id) ?? directory.unit(organization, id);
      if (child === undefined) throw refusal('ChildNotFoundException', `There is no account or unit \`${id}\` in the organization.`);
      const type = child.parent === organization.rootId ? 'ROOT' : 'ORGANIZATIONAL_UNIT';
      return { Parents: [{ Id: child.parent, Type: type }] };
    }),
    listing<string>(deps, 'ListChildren', (call, input) => {
      const organization = readableBy(deps, call);
      const id = requireParent(deps, organization, text(input, 'ParentId'));
      const type = word(input, 'ChildType', ['ACCOUNT', 'ORGANIZATIONAL_UNIT'] as const);
      const ids =
        type === 'ACCOUNT'
          ? directory
              .members(organization)
              .filter(({ parent }) => parent === id)
              .map(({ account }): string => account)
          : directory
              .units(organization)
              .filter(({ parent }) => parent === id)
              .map((unit) => unit.id);
      return {
        all: ids,
        idOf: (child) => child,
        answer: (items) => ({ Children: items.map((child) => ({ Id: child, Type: type })) }),
      };
    }),
  ] as readonly Operation[];
}

function createUnit(deps: OrganizationsDeps) {
  return changing(deps, 'CreateOrganizationalUnit', (call, input) => {
    const [parent, name] = [text(input, 'ParentId'), text(input, 'Name')];
    const tags = readTags(input);
    const tail = randomText(deps, 8);
    return () => {
      const organization = managedBy(deps, call);
      requireParent(deps, organization, parent);
      const units = deps.directory.units(organization);
      if (units.length >= UNITS_MAX) throw constraint('OU_NUMBER_LIMIT_EXCEEDED', `The organization has ${UNITS_MAX} units already.`);
      if (depthOf(deps, organization, parent) >= DEPTH_MAX)
        throw constraint('OU_DEPTH_LIMIT_EXCEEDED', `Units lie at most ${DEPTH_MAX} deep below the root.`);
      requireFreeName(units, { name, parent });
      const id = `ou-${organization.rootId.slice(2)}-${tail}`;
      const unit: Unit = { id, organizationId: organization.id, name, parent, policies: [FULL_ACCESS.id] };
      return {
        organization,
        changes: [{ key: unitKey(unit), value: unit }, ...tagging(organization, id, tags)],
        output: { OrganizationalUnit: unitOutput(organization, unit) },
      };
    };
  });
}

function renameUnit(deps: OrganizationsDeps) {
  return changing(deps, 'UpdateOrganizationalUnit', (call, input) => {
    const [id, name] = [text(input, 'OrganizationalUnitId'), optionalText(input, 'Name')];
    return () => {
      const organization = managedBy(deps, call);
      const unit = requireUnit(deps, organization, id);
      const renamed = { ...unit, name: name ?? unit.name };
      requireFreeName(
        deps.directory.units(organization).filter((other) => other.id !== id),
        renamed,
      );
      return {
        organization,
        changes: [{ key: unitKey(unit), value: renamed }],
        output: { OrganizationalUnit: unitOutput(organization, renamed) },
      };
    };
  });
}

function moveAccount(deps: OrganizationsDeps) {
  return changing(deps, 'MoveAccount', (call, input) => {
    const account = accountId(input);
    const [from, to] = [text(input, 'ParentId', 'SourceParentId'), text(input, 'ParentId', 'DestinationParentId')];
    return () => {
      const organization = managedBy(deps, call);
      const member = requireMember(deps, organization, account);
      if (!isParent(deps, organization, from) || member.parent !== from)
        throw refusal('SourceParentNotFoundException', `Account ${account} is not in \`${from}\`.`);
      if (!isParent(deps, organization, to))
        throw refusal('DestinationParentNotFoundException', `There is no root or unit \`${to}\` in the organization.`);
      if (from === to) throw refusal('DuplicateAccountException', `Account ${account} is in \`${to}\` already.`);
      return { organization, changes: [{ key: membershipKey(account), value: { ...member, parent: to } }], output: {} };
    };
  });
}

function isParent({ directory }: OrganizationsDeps, organization: Organization, id: string): boolean {
  return id === organization.rootId || directory.unit(organization, id) !== undefined;
}

function requireParent(deps: OrganizationsDeps, organization: Organization, id: string): string {
  if (isParent(deps, organization, id)) return id;
  throw refusal('ParentNotFoundException', `There is no root or unit \`${id}\` in the organization.`);
}

function requireUnit({ directory }: OrganizationsDeps, organization: Organization, id: string): Unit {
  const unit = directory.unit(organization, id);
  if (unit === undefined) throw refusal('OrganizationalUnitNotFoundException', `There is no unit \`${id}\` in the organization.`);
  return unit;
}

function requireFreeName(units: readonly Unit[], { name, parent }: Pick<Unit, 'name' | 'parent'>): void {
  if (units.some((unit) => unit.parent === parent && unit.name === name))
    throw refusal('DuplicateOrganizationalUnitException', `There is a unit \`${name}\` in \`${parent}\` already.`);
}

/** Units above a new one in this parent. */
function depthOf({ directory }: OrganizationsDeps, organization: Organization, parent: string): number {
  let depth = 0;
  for (let at = parent; at !== organization.rootId; at = directory.unit(organization, at)!.parent) depth++;
  return depth;
}

function unitOutput(organization: Organization, { id, name }: Unit): object {
  return { Id: id, Arn: arnOf(organization, 'ou', id), Name: name };
}
