/**
 * Finds what is known of a resource by its ARN: whose it is, its own policy, its tags. The choke point asks for it, of every call and of
 * every explanation.
 */
import { entityResource } from '../access/iam/entity-access.ts';
import type { Identities } from '../access/identities.ts';
import type { FindResource } from '../api/find-resource.ts';
import type { BucketName } from '../event/types.ts';
import { bucketAccess } from '../http/s3/s3-access.ts';
import { keyAccess } from '../kms/key-access.ts';
import type { KmsDeps } from '../kms/kms-deps.ts';
import { topicAccess } from '../sns/find-topic.ts';
import type { Objects } from '../store/objects.ts';
import { trailResource } from '../trail/trail-access.ts';

export function resourceFinder(deps: {
  readonly objects: Pick<Objects, 'getBucket'>;
  readonly identities: Identities;
  readonly kms: KmsDeps;
}): FindResource {
  const { objects, identities, kms } = deps;
  const bucketResource: FindResource = async (question) => {
    const name = /^arn:aws:s3:::([^/*?]+)(?:\/|$)/.exec(question.resource)?.[1];
    const bucket = name === undefined ? undefined : await objects.getBucket(name as BucketName);
    return bucketAccess(bucket, question);
  };
  const finders = new Map<string, FindResource>([
    ['s3', bucketResource],
    ['kms', keyAccess(kms)],
    ['sns', topicAccess(kms)],
    ['iam', entityResource(identities)],
    ['cloudtrail', trailResource(kms.catalog)],
  ]);
  return async (question) => {
    const { action, resource } = question;
    // An action that names no resource asks its own service; a resource is its service's, whoever asks for it.
    const service = resource === '*' ? action.slice(0, action.indexOf(':')).toLowerCase() : resource.split(':')[2];
    return finders.get(service ?? '')?.(question);
  };
}
