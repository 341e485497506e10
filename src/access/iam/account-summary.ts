/**
 * `GetAccountSummary`: how many of each there are in the account, and how many there may be.
 *
 * Source: IAM API Reference.
 */
import type { MfaDevice } from '../mfa-device.ts';
import type { IamDeps, IamOperation } from './iam-deps.ts';

export function getAccountSummary({ identities, accounts }: IamDeps): IamOperation<object> {
  return {
    name: 'GetAccountSummary',
    isReadOnly: true,
    decide: async ({ account }) => {
      const devices = await identities.listDocuments<MfaDevice>(['mfa-device', account]);
      const policies = await identities.listPolicies(account);
      const SummaryMap = {
        Users: (await identities.list('User', account)).length,
        UsersQuota: 5_000,
        Groups: (await identities.list('Group', account)).length,
        GroupsQuota: 300,
        Roles: (await identities.list('Role', account)).length,
        RolesQuota: 1_000,
        Policies: policies.length,
        PoliciesQuota: 1_500,
        PolicyVersionsInUse: policies.reduce((sum, { versions }) => sum + versions.length, 0),
        Providers: (await identities.listDocuments(['oidc-provider', account])).length,
        MFADevices: devices.length,
        MFADevicesInUse: devices.filter(({ value }) => value.userName !== undefined).length,
        AccountMFAEnabled: 0,
        AccountAccessKeysPresent: (await accounts.listKeys(account)).length > 0 ? 1 : 0,
        AccessKeysPerUserQuota: 2,
        AttachedPoliciesPerUserQuota: 10,
        AttachedPoliciesPerGroupQuota: 10,
        AttachedPoliciesPerRoleQuota: 10,
        GroupsPerUserQuota: 10,
        UserPolicySizeQuota: 2_048,
        GroupPolicySizeQuota: 5_120,
        RolePolicySizeQuota: 10_240,
        PolicySizeQuota: 6_144,
        AssumeRolePolicySizeQuota: 2_048,
        VersionsPerPolicyQuota: 5,
      };
      return { output: { SummaryMap } };
    },
  };
}
