/**
 * The statements of a bucket policy that a trail needs, and the policy as it is with those that are missing.
 *
 * What is there stays, word for word: other trails and accounts live by it. A statement that is there under the documented Sid
 * and does not help stays as well, and the one that helps gets another Sid.
 * Source: CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail"; cloudtrail.md §11.2.
 */
import { evaluatePolicy, type PolicyRequest, type PolicyVerdict } from '../policy/evaluate-policy.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { Bucket } from '../store/objects.ts';
import { accountFolder, evidenceFolder, organizationFolder, type Trail, trailArn } from './trail.ts';

/** Where a trail writes. */
export type BucketTarget = Pick<Trail, 'account' | 'homeRegion' | 'name' | 's3BucketName' | 's3KeyPrefix' | 'organizationId'>;

/** One thing that a trail does in its bucket, with the documented statement that allows it. */
export interface NeededAccess {
  readonly sid: string;
  /** Bucket and keys of that statement, as in an ARN. */
  readonly on: string;
  readonly action: string;
  readonly resource: string;
}

/** The folders that the trail writes to: of the account that owns it, and of its organization. */
export function foldersOf({ s3KeyPrefix, account, organizationId }: BucketTarget): readonly string[] {
  const own = accountFolder(s3KeyPrefix, account);
  return organizationId === undefined ? [own] : [own, organizationFolder(s3KeyPrefix, organizationId)];
}

/** What the trail does in its bucket: an example of each kind of key. */
export function neededAccess(target: BucketTarget): readonly NeededAccess[] {
  const { s3BucketName: name, account } = target;
  const [folder, ofOrganization] = foldersOf(target);
  const file = (of: string, at: string) =>
    `${at}CloudTrail/${target.homeRegion}/2020/01/01/${of}_CloudTrail_${target.homeRegion}_20200101T0000Z_0000000000000000.json.gz`;
  const digest = (at: string) => `${at}CloudTrail-Digest/${target.homeRegion}/2020/01/01/x.json.gz`;
  const receipt = `${evidenceFolder(target, target.s3KeyPrefix)}receipts/000000000001.note`;
  const puts = (sid: string, at: string, keys: readonly string[]) =>
    keys.map((key) => ({ sid, on: `${name}/${at}*`, action: 's3:PutObject', resource: `arn:aws:s3:::${name}/${key}` }));
  // Accounts that join later are written to as those of today: one that nobody has stands for all of them.
  const inOrganization = (at: string) => [account, '000000000000'].flatMap((of) => [file(of, `${at}${of}/`), digest(`${at}${of}/`)]);
  return [
    { sid: 'AWSCloudTrailAclCheck20150319', on: name, action: 's3:GetBucketAcl', resource: `arn:aws:s3:::${name}` },
    ...puts('AWSCloudTrailWrite20150319', folder!, [folder!, file(account, folder!), digest(folder!), receipt]),
    ...(ofOrganization === undefined
      ? []
      : puts('AWSCloudTrailOrganizationWrite20150319', ofOrganization, [ofOrganization, ...inOrganization(ofOrganization)])),
  ];
}

/** What a policy says to one thing that the trail does. */
export function judge(policy: Parameters<typeof evaluatePolicy>[0], target: BucketTarget, needed: NeededAccess): PolicyVerdict {
  return evaluatePolicy(policy, requestOf(target, needed));
}

/**
 * The bucket's policy with the documented statements that it lacks, as JSON. Of another account's bucket nothing is shown but the
 * statements that are to be added.
 * @returns `undefined` when it lacks none: then a statement denies something, and which of the two is wanted, its owner knows.
 */
export function correctedPolicy({ policy, owner }: Pick<Bucket, 'policy' | 'owner'>, target: BucketTarget): string | undefined {
  const parsed = policy === undefined ? undefined : parsePolicy(policy);
  const isShown = policy !== undefined && parsed?.kind === 'policy' && owner === target.account;
  const document = isShown ? (JSON.parse(policy) as { readonly Statement: unknown }) : { Version: '2012-10-17', Statement: [] };
  const statements = [document.Statement].flat() as { readonly Sid?: string }[];
  const isMissing = (needed: NeededAccess) => parsed?.kind !== 'policy' || judge(parsed.policy, target, needed).kind === 'not-allowed';
  const missing = new Map(
    neededAccess(target)
      .filter(isMissing)
      .map((needed) => [needed.sid, needed]),
  );
  if (missing.size === 0) return undefined;
  const isTaken = (sid: string) => statements.some(({ Sid }) => Sid === sid);
  for (const needed of missing.values()) {
    let { sid } = needed;
    for (let count = 2; isTaken(sid); count++) sid = `${needed.sid}x${count}`;
    statements.push(statementOf(target, needed, sid));
  }
  return JSON.stringify({ ...document, Statement: statements });
}

function statementOf(target: BucketTarget, { on, action }: NeededAccess, Sid: string) {
  const isPut = action === 's3:PutObject';
  return {
    Sid,
    Effect: 'Allow',
    Principal: { Service: 'cloudtrail.amazonaws.com' },
    Action: action,
    Resource: `arn:aws:s3:::${on}`,
    Condition: {
      StringEquals: { 'aws:SourceArn': trailArn(target), ...(isPut && { 's3:x-amz-acl': 'bucket-owner-full-control' }) },
    },
  };
}

function requestOf(target: BucketTarget, { action, resource }: NeededAccess): PolicyRequest {
  return {
    principal: { kind: 'service', service: 'cloudtrail.amazonaws.com' },
    action,
    resource,
    context: new Map([
      ...(action === 's3:PutObject' ? ([['s3:x-amz-acl', ['bucket-owner-full-control']]] as const) : []),
      ['aws:sourcearn', [trailArn(target)]],
      ['aws:sourceaccount', [target.account]],
      ['aws:securetransport', ['true']],
      ['aws:principalisawsservice', ['true']],
      ['aws:principalservicename', ['cloudtrail.amazonaws.com']],
      ['aws:viaawsservice', ['false']],
    ]),
  };
}
