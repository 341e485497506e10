/**
 * The choke point where only the caller's own policies decide: resources have no policies and no tags, accounts no organization.
 */
import { Authorizer } from '../../src/access/authorize.ts';
import type { FindPrincipalPolicies } from '../../src/access/principal-policies.ts';

/** @param findPolicies Absent: nobody has any. */
export function plainAuthorizer(findPolicies: FindPrincipalPolicies = () => NOBODYS): Authorizer {
  return new Authorizer({ findPolicies, findResource: async () => undefined, organizationOf: () => ({}) });
}

const NOBODYS = { identity: [], serviceControl: [], tags: new Map<string, string>() };
