/**
 * Makes the identities of one account as the configuration file names them, by calls of IAM.
 *
 * What is as the file says makes no call, so that a start that changes nothing leaves no event. What the file does not name stays:
 * of an entity that it names, that is told, since somebody may believe it gone with its line.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Identities } from '../access/identities.ts';
import {
  type EntityDocuments,
  type EntityKind,
  entityKey,
  KINDS,
  type PolicyDocument,
  policyArn,
  policyKey,
  type RoleDocument,
  type Tag,
} from '../access/identity-documents.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import type { DeclaredGroup, DeclaredIdentities, DeclaredRole, DeclaredUser } from './declared.ts';
import { FileConflict, type MakeFileCall } from './file-calls.ts';

/** Most versions of a managed policy. */
const VERSIONS_MAX = 5;

export interface ApplyIdentitiesDeps {
  readonly identities: Identities;
  readonly makeCall: MakeFileCall;
  /** Tells the operator of something that is there and not in the file. */
  readonly tell: (message: string) => void;
}

/** @throws FileConflict */
export async function applyIdentities(deps: ApplyIdentitiesDeps, account: AccountId, declared: DeclaredIdentities): Promise<void> {
  const place = `identities.${account}`;
  const iam = (at: string) => (name: string, input: JsonObject) =>
    deps.makeCall({ account, service: 'iam', name, input, place: at }) as Promise<unknown>;
  for (const [name, document] of Object.entries(declared.policies)) {
    const at = `${place}.policies.${name}`;
    await applyPolicy(deps, { account, place: at, call: iam(at) }, name, document);
  }
  for (const [kind, section] of [
    ['Group', 'groups'],
    ['User', 'users'],
    ['Role', 'roles'],
  ] as const)
    for (const [name, entity] of Object.entries<DeclaredEntity>(declared[section])) {
      const at = `${place}.${section}.${name}`;
      await applyEntity(deps, { account, place: at, call: iam(at) }, { kind, name, ...entity });
    }
}

type DeclaredEntity = DeclaredGroup & Partial<DeclaredUser> & Partial<DeclaredRole>;

/** Where in the file something is asked for, and how it is made. */
interface Spot {
  readonly account: AccountId;
  readonly place: string;
  readonly call: (name: string, input: JsonObject) => Promise<unknown>;
}

async function applyPolicy({ identities }: ApplyIdentitiesDeps, spot: Spot, name: string, document: string): Promise<void> {
  const found = (await identities.get<PolicyDocument>(policyKey(spot.account, name)))?.value;
  if (found === undefined) {
    await spot.call('CreatePolicy', { PolicyName: name, PolicyDocument: document });
    return;
  }
  requireSameName(spot, found.name, name);
  const PolicyArn = policyArn(found);
  const same = found.versions.find((version) => isSameJson(version.document, document));
  if (same?.id === found.defaultVersionId) return;
  if (same !== undefined) {
    await spot.call('SetDefaultPolicyVersion', { PolicyArn, VersionId: same.id });
    return;
  }
  if (found.versions.length >= VERSIONS_MAX) {
    const oldest = found.versions.find(({ id }) => id !== found.defaultVersionId)!;
    await spot.call('DeletePolicyVersion', { PolicyArn, VersionId: oldest.id });
  }
  await spot.call('CreatePolicyVersion', { PolicyArn, PolicyDocument: document, SetAsDefault: true });
}

type NamedEntity = DeclaredEntity & { readonly kind: EntityKind; readonly name: string };

async function applyEntity(deps: ApplyIdentitiesDeps, spot: Spot, entity: NamedEntity): Promise<void> {
  const { kind, name } = entity;
  const boundary = entity.boundary === undefined ? undefined : await resolveArn(deps, spot, entity.boundary);
  const attached = await Promise.all(entity.policies.map((reference) => resolveArn(deps, spot, reference)));
  const tags = Object.entries(entity.tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
  const named = { [KINDS[kind].nameMember]: name };

  const found = (await deps.identities.get<EntityDocuments[EntityKind]>(entityKey(kind, spot.account, name)))?.value;
  if (found === undefined) {
    await spot.call(`Create${kind}`, {
      ...named,
      ...(entity.path === undefined ? {} : { Path: entity.path }),
      ...(boundary === undefined ? {} : { PermissionsBoundary: boundary }),
      ...(tags.length === 0 ? {} : { Tags: tags }),
      ...(entity.trust === undefined ? {} : { AssumeRolePolicyDocument: entity.trust }),
      ...roleSettings(entity),
    });
  } else {
    requireSameName(spot, found.name, name);
    if (entity.path !== undefined && entity.path !== found.path) await changePath(spot, entity, found.path);
    if (found.kind !== 'Group') {
      if (boundary !== undefined && boundary !== found.boundary)
        await spot.call(`Put${kind}PermissionsBoundary`, { ...named, PermissionsBoundary: boundary });
      const changed = tags.filter((tag) => !found.tags.some((each) => isDeepStrictEqual(tagOf(each), tag)));
      if (changed.length > 0) await spot.call(`Tag${kind}`, { ...named, Tags: changed });
    }
    if (found.kind === 'Role') await changeRole(spot, entity, found);
  }

  const present: EntityDocuments[EntityKind] = (await deps.identities.need(kind, spot.account, name)).value;
  for (const PolicyArn of attached)
    if (!present.attached.includes(PolicyArn)) await spot.call(`Attach${kind}Policy`, { ...named, PolicyArn });
  for (const [PolicyName, PolicyDocument] of Object.entries(entity.inline)) {
    const text = Object.hasOwn(present.inline, PolicyName) ? present.inline[PolicyName] : undefined;
    if (text === undefined || !isSameJson(text, PolicyDocument))
      await spot.call(`Put${kind}Policy`, { ...named, PolicyName, PolicyDocument });
  }
  if (present.kind === 'User') {
    for (const GroupName of entity.groups ?? [])
      if (!present.groups.includes(GroupName)) await spot.call('AddUserToGroup', { ...named, GroupName });
    if (entity.accessKey === true && present.accessKeyIds.length === 0) await spot.call('CreateAccessKey', named);
  }
  tellWhatStays(deps, spot, { entity, present, attached });
}

function roleSettings({ maxSession, description }: NamedEntity): JsonObject {
  return {
    ...(description === undefined ? {} : { Description: description }),
    ...(maxSession === undefined ? {} : { MaxSessionDuration: maxSession }),
  };
}

async function changePath({ place, call }: Spot, { kind, name, path }: NamedEntity, from: string): Promise<void> {
  if (kind === 'Role')
    throw new FileConflict(`${place}.path`, `the role is at \`${from}\`, and no call moves a role: write that, or delete the role first`);
  await call(`Update${kind}`, { [KINDS[kind].nameMember]: name, NewPath: path! });
}

async function changeRole({ call }: Spot, entity: NamedEntity, found: RoleDocument): Promise<void> {
  const RoleName = entity.name;
  if (entity.trust !== undefined && !isSameJson(entity.trust, found.trustPolicy))
    await call('UpdateAssumeRolePolicy', { RoleName, PolicyDocument: entity.trust });
  const { description = found.description, maxSession = found.maxSessionSeconds } = entity;
  // The call sets what it does not name back to nothing: both are given.
  if ((description ?? '') !== (found.description ?? '') || maxSession !== found.maxSessionSeconds)
    await call('UpdateRole', { RoleName, ...roleSettings({ ...entity, description, maxSession }) });
}

/** The ARN of a managed policy, which the file may name without. @throws FileConflict */
async function resolveArn({ identities }: ApplyIdentitiesDeps, { account, place }: Spot, reference: string): Promise<string> {
  if (reference.startsWith('arn:')) return reference;
  const found = await identities.get<PolicyDocument>(policyKey(account, reference));
  if (found?.value.name === reference) return policyArn(found.value);
  const next = `name it in \`identities.${account}.policies\`, or give the ARN of another one`;
  throw new FileConflict(place, `account ${account} has no managed policy \`${reference}\`: ${next}`);
}

/** Names are unique in any case, and count with their own. @throws FileConflict */
function requireSameName({ place }: Spot, present: string, name: string): void {
  if (present !== name) throw new FileConflict(place, `it is written \`${present}\` here already: write it so, or delete that one first`);
}

/** What of a named entity the file does not name, nobody took away. */
function tellWhatStays(
  { tell }: ApplyIdentitiesDeps,
  { place }: Spot,
  {
    entity,
    present,
    attached,
  }: { readonly entity: NamedEntity; readonly present: EntityDocuments[EntityKind]; readonly attached: readonly string[] },
): void {
  const others = (what: string, all: readonly string[], named: readonly string[]) =>
    all.filter((each) => !named.includes(each)).map((each) => `${what} ${each}`);
  const stay = [
    ...others('the policy', present.attached, attached),
    ...others('the inline policy', Object.keys(present.inline), Object.keys(entity.inline)),
    ...(present.kind === 'User' ? others('membership of', present.groups, entity.groups ?? []) : []),
    ...(present.kind !== 'Group' && present.boundary !== undefined && entity.boundary === undefined
      ? [`the boundary ${present.boundary}`]
      : []),
  ];
  if (stay.length > 0) tell(`\`${place}\` has what the configuration file does not name, and keeps it: ${stay.join(', ')}`);
}

function tagOf({ Key, Value }: Tag): Tag {
  return { Key, Value };
}

/** Whether two policies say the same, however they are written. */
function isSameJson(a: string, b: string): boolean {
  return a === b || isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}
