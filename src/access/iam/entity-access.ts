/**
 * What users, roles, policies, devices and providers decide themselves when they are named as a resource: their tags, their boundary,
 * and who may assume a role.
 *
 * Only STS reaches those of other accounts, by a role's trust policy; operations of IAM look everything up under the caller's account.
 * Source: IAM User Guide, "Control access to IAM users and roles using tags", "Permissions boundaries"; Service Authorization
 * Reference, "AWS Identity and Access Management".
 */
import type { ResourceAccess } from '../../api/access.ts';
import type { FindResource, ResourceQuestion } from '../../api/find-resource.ts';
import { resourceTagContext } from '../../api/tags.ts';
import type { Identities } from '../identities.ts';
import { parseIamArn, type RoleDocument, type Tag, type UserDocument } from '../identity-documents.ts';
import { type MfaDevice, mfaKey } from '../mfa-device.ts';
import { type OidcProvider, oidcKey } from '../oidc-provider.ts';
import { boundaryContext } from './iam-deps.ts';

/** Those that change what an entity may do: policies say by its boundary who may (`iam:PermissionsBoundary`). */
const CHANGES_RIGHTS = /^iam:(?:Attach|Detach|Put|Delete)(?:User|Role)(?:Policy|PermissionsBoundary)$/i;

export function entityResource(identities: Identities): FindResource {
  return async (question) => {
    const { action, resource } = question;
    if (/^sts:/i.test(action)) return trustOf(identities, resource);
    const tags = await tagsOf(identities, question);
    const entity = await findEntity(identities, question);
    if (entity === undefined) return tags === undefined ? undefined : { context: tagContext(tags) };
    const boundary = CHANGES_RIGHTS.test(action) ? boundaryContext(entity.boundary) : [];
    return { context: new Map([...tagContext(entity.tags), ...boundary]) };
  };
}

/** A role of whatever account: nothing but its trust policy opens it, and one that is not there has none. */
async function trustOf(identities: Identities, arn: string): Promise<ResourceAccess | undefined> {
  const named = parseIamArn(arn, 'role');
  if (named === undefined || named.account === 'aws') return undefined;
  const role = await identities.findByArn('Role', arn);
  return {
    owner: named.account,
    isPolicyRequired: true,
    ...(role === undefined ? {} : { policy: role.trustPolicy, context: tagContext(role.tags) }),
  };
}

/** Users and roles of the caller's account. */
async function findEntity(
  identities: Identities,
  { call: { account }, resource }: ResourceQuestion,
): Promise<UserDocument | RoleDocument | undefined> {
  const found = (await identities.findByArn('User', resource)) ?? (await identities.findByArn('Role', resource));
  return found?.account === account ? found : undefined;
}

/** What else has tags, in the caller's account. */
async function tagsOf(identities: Identities, { call: { account }, resource }: ResourceQuestion): Promise<readonly Tag[] | undefined> {
  const { policy, type, name } =
    /^arn:aws:iam::(?<owner>\d{12}):(?:(?<policy>policy\/.+)|(?<type>mfa|oidc-provider)\/(?<name>.+))$/.exec(resource)?.groups ?? {};
  if (resource.split(':')[4] !== account) return undefined;
  if (policy !== undefined) return (await identities.findPolicy(account, resource))?.value.tags;
  if (name === undefined) return undefined;
  if (type === 'mfa') return (await identities.get<MfaDevice>(mfaKey(account, resource)))?.value.tags;
  return (await identities.get<OidcProvider>(oidcKey(account, name)))?.value.tags;
}

/** Under both names that conditions know them by. */
function tagContext(tags: readonly Tag[]): ReadonlyMap<string, readonly string[]> {
  return resourceTagContext(tags, 'iam:resourcetag');
}
