/**
 * What `snowtrail.yaml` may say of accounts, users, groups, roles, policies and the organization: its form.
 *
 * A policy is written as YAML or as JSON text, and is read here as calls are, so that a malformed one stops the start before
 * anything is changed. What it means to exist lies in `apply-declared.ts`.
 */
import { z } from 'zod';
import type { AccountId } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import { type PolicyForm, parsePolicy } from '../policy/parse-policy.ts';

const accountId = z.string().refine((text): text is AccountId => isAccountId(text), 'must be twelve digits, in quotes');

/** @returns the policy as JSON text. */
function policy(form: PolicyForm) {
  return z
    .union([z.string(), z.record(z.string(), z.unknown())], 'must be a policy, as YAML or as JSON text')
    .transform((value, context) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const parsed = parsePolicy(text, form);
      if (parsed.kind === 'policy') return text;
      context.addIssue({ code: 'custom', message: parsed.reason });
      return z.NEVER;
    });
}

/** A name of IAM; those of users and roles are shorter than others. */
function nameOf(lengthMax: 64 | 128) {
  const message = `must be 1 to ${lengthMax} letters, digits and _+=,.@-`;
  return z
    .string()
    .regex(/^[\w+=,.@-]+$/, message)
    .max(lengthMax, message);
}
const name = nameOf(128);
/** An ARN, or the name of a managed policy of the account. */
const policyReference = z.union(
  [z.string().startsWith('arn:'), name],
  'must be the ARN of a managed policy, or the name of one of the account',
);
const path = z.string().regex(/^\/(?:[!-~]{0,510}\/)?$/, 'must begin and end with a slash');

const holder = {
  path: path.optional(),
  /** Managed policies to attach. */
  policies: z.array(policyReference).default([]),
  /** Policies that lie in the entity itself. */
  inline: z.record(name, policy('identity')).default({}),
};
const person = { boundary: policyReference.optional(), tags: z.record(z.string(), z.string()).default({}) };

const user = z.strictObject({
  ...holder,
  ...person,
  groups: z.array(name).default([]),
  /** The user is to have an access key: one is made when it has none, and kept in the data directory. */
  accessKey: z.boolean().default(false),
});

const group = z.strictObject(holder);

const role = z.strictObject({
  ...holder,
  ...person,
  /** Who may assume it. Trusted: too wide, and strangers may. */
  trust: policy('trust'),
  description: z.string().optional(),
  /** Seconds. */
  maxSession: z.number().int().min(3_600, 'must be 3600 to 43200 seconds').max(43_200, 'must be 3600 to 43200 seconds').optional(),
});

const identities = z.strictObject({
  policies: z.record(name, policy('identity')).default({}),
  groups: z
    .record(
      name,
      group.nullable().transform((given) => given ?? group.parse({})),
    )
    .default({}),
  users: z
    .record(
      nameOf(64),
      user.nullable().transform((given) => given ?? user.parse({})),
    )
    .default({}),
  roles: z.record(nameOf(64), role).default({}),
});

/** The sections of the file, as part of the settings. */
export const declaredSections = {
  /** Accounts that are to exist. */
  accounts: z.array(z.strictObject({ id: accountId, name: z.string().min(1).max(128).optional() })).default([]),
  /** By account. */
  identities: z.record(accountId, identities).default({}),
  organization: z
    .strictObject({
      /** The account that creates and manages it; absent: the first account. */
      management: accountId.optional(),
      /** Its members, beside the management account. */
      accounts: z.array(accountId).default([]),
    })
    .optional(),
};

const declared = z.strictObject(declaredSections);

export type Declared = z.output<typeof declared>;
export type DeclaredIdentities = z.output<typeof identities>;
export type DeclaredGroup = z.output<typeof group>;
export type DeclaredUser = z.output<typeof user>;
export type DeclaredRole = z.output<typeof role>;
