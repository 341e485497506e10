/**
 * What commands about users and roles read and change, by IAM's API.
 *
 * One caller of the command may only hold some of the permissions: each step is a call of its own, in an order that leaves
 * nothing that is open when a later one is refused.
 */
import { type XmlElement, xmlChild, xmlText } from '../http/xml.ts';
import type { Client } from './client.ts';
import { UsageError } from './exit.ts';

export type IdentityKind = 'User' | 'Role';

/** The items of a list that lies in this element. */
function members(element: XmlElement, name: string): readonly XmlElement[] {
  return xmlChild(element, name)?.children ?? [];
}

/** All items of a list, page by page. */
export async function listAll(
  client: Client,
  operation: string,
  list: string,
  input: Readonly<Record<string, string>> = {},
): Promise<readonly XmlElement[]> {
  const items: XmlElement[] = [];
  let marker: string | undefined;
  do {
    const page = await client.iam(operation, { ...input, ...(marker === undefined ? {} : { Marker: marker }) });
    items.push(...members(page, list));
    marker = xmlText(page, 'Marker');
  } while (marker !== undefined);
  return items;
}

/** Names of the policies of a user or a role: ARNs of those that are attached, names of those that lie in it. */
export async function policiesOf(
  client: Client,
  kind: IdentityKind,
  name: string,
): Promise<{ readonly attached: readonly string[]; readonly inline: readonly string[] }> {
  const input = { [`${kind}Name`]: name };
  const attached = await listAll(client, `ListAttached${kind}Policies`, 'AttachedPolicies', input);
  const inline = await listAll(client, `List${kind}Policies`, 'PolicyNames', input);
  return { attached: attached.map((policy) => xmlText(policy, 'PolicyArn') ?? ''), inline: inline.map(({ text }) => text) };
}

/** Takes all policies from a user or a role. */
export async function removePolicies(client: Client, kind: IdentityKind, name: string): Promise<void> {
  const input = { [`${kind}Name`]: name };
  const { attached, inline } = await policiesOf(client, kind, name);
  for (const PolicyArn of attached) await client.iam(`Detach${kind}Policy`, { ...input, PolicyArn });
  for (const PolicyName of inline) await client.iam(`Delete${kind}Policy`, { ...input, PolicyName });
}

export async function attachPolicies(client: Client, kind: IdentityKind, name: string, policies: readonly string[]): Promise<void> {
  for (const policy of policies) await client.iam(`Attach${kind}Policy`, { [`${kind}Name`]: name, PolicyArn: policyArn(policy) });
}

/** The ARN of a policy; a name stands for one of AWS's. */
function policyArn(policy: string): string {
  return policy.startsWith('arn:') ? policy : `arn:aws:iam::aws:policy/${policy}`;
}

/** Parameters of tags that were given as `key=value`. @throws UsageError */
export function tagParameters(tags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    tags.flatMap((tag, index) => {
      const at = tag.indexOf('=');
      if (at < 1) throw new UsageError(`\`${tag}\` is no tag; write key=value`);
      return [
        [`Tags.member.${index + 1}.Key`, tag.slice(0, at)],
        [`Tags.member.${index + 1}.Value`, tag.slice(at + 1)],
      ];
    }),
  );
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
