/**
 * Finds the policy that a resource has of its own: a bucket's, a key's, or the trust policy of a role.
 */
import type { FindResourceAccess } from '../access/explain-access.ts';
import type { Identities } from '../access/identities.ts';
import { parseIamArn } from '../access/identity-documents.ts';
import { parseArn } from '../event/arn.ts';
import type { AccountId, BucketName, Region } from '../event/types.ts';
import { findKey } from '../kms/find-key.ts';
import type { KmsDeps } from '../kms/kms-deps.ts';
import type { Objects } from '../store/objects.ts';

export function resourceAccessFinder(deps: {
  readonly objects: Pick<Objects, 'getBucket'>;
  readonly identities: Identities;
  readonly kms: KmsDeps;
}): FindResourceAccess {
  return async (arn) => {
    const { service, region = '', account = '', resource = '' } = parseArn(arn) ?? {};
    switch (service) {
      case 's3': {
        const bucket = await deps.objects.getBucket(resource.split('/')[0] as BucketName);
        if (bucket?.owner === undefined) return undefined;
        return { owner: bucket.owner, ...(bucket.policy === undefined ? {} : { resourcePolicy: bucket.policy }) };
      }
      case 'kms': {
        const owner = account as AccountId;
        if (!resource.startsWith('key/')) return undefined;
        const key = await findKey(deps.kms, { kind: 'key', account: owner, region: region as Region, id: resource.slice('key/'.length) });
        return { owner, isPolicyRequired: true, ...(key === undefined ? {} : { resourcePolicy: key.value.policy }) };
      }
      case 'iam': {
        const named = parseIamArn(arn, 'role');
        if (named === undefined) return undefined;
        const owner = named.account as AccountId;
        const role = await deps.identities.find('Role', owner, named.name);
        return { owner, ...(role === undefined ? {} : { resourcePolicy: role.value.trustPolicy, isPolicyRequired: true }) };
      }
      default:
        return undefined;
    }
  };
}
