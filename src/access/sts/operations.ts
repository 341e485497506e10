/**
 * The operations of STS that this server has. Source: STS API Reference, 2011-06-15.
 */
import type { Operation } from '../../api/operation.ts';
import { MfaTries } from '../mfa-device.ts';
import { assumeRole } from './assume-role.ts';
import { assumeRoleWithWebIdentity } from './assume-role-with-web-identity.ts';
import { getSessionToken } from './get-session-token.ts';
import type { StsDeps } from './issue-keys.ts';

export function stsOperations(stores: Omit<StsDeps, 'mfaTries'>): readonly Operation[] {
  const deps: StsDeps = { ...stores, mfaTries: new MfaTries() };
  return [getCallerIdentity, assumeRole(deps), assumeRoleWithWebIdentity(deps), getSessionToken(deps)] as readonly Operation[];
}

/** Says who the caller is, whatever it may do. Source: STS API Reference, GetCallerIdentity. */
const getCallerIdentity: Operation<object, { Account: string; Arn: string; UserId: string }> = {
  name: 'GetCallerIdentity',
  isReadOnly: true,
  decide: async (call) => ({
    output: { Account: call.account, Arn: call.principal.arn, UserId: call.principal.principalId },
    requestParameters: null,
  }),
};
