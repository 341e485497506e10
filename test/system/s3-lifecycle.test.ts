/**
 * Lifecycle rules on the wire: what clients put is what they read, and what cannot be done is refused.
 */
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { HttpRig, RIG_KEY, RIG_REGION } from '../support/http-rig.ts';

const aws = await findAwsCli();
let rig: HttpRig;
let s3: S3Client;
let count = 0;
let Bucket = '';

beforeAll(async () => {
  rig = await HttpRig.start();
  const { accessKeyId, secretAccessKey } = RIG_KEY;
  s3 = new S3Client({
    endpoint: rig.url,
    region: RIG_REGION,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  s3.destroy();
  await rig.close();
});
beforeEach(async () => {
  count += 1;
  Bucket = `lifecycle-${count}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
});

const put = (...Rules: LifecycleRule[]) =>
  s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
const read = async () => s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));

async function refusal(sent: Promise<unknown>): Promise<string> {
  const error = await sent.then(
    () => undefined,
    (reason: Error & { $metadata?: { httpStatusCode?: number } }) => reason,
  );
  return error === undefined ? 'taken' : `${error.$metadata?.httpStatusCode} ${error.name}`;
}

describe('lifecycle rules', () => {
  test('are read as they were put, and taken away', async () => {
    expect(await refusal(read())).toBe('404 NoSuchLifecycleConfiguration');
    const rules: LifecycleRule[] = [
      { ID: 'a', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 400 } },
      { ID: 'b', Status: 'Disabled', Filter: { Prefix: '' }, Expiration: { Date: new Date('2030-01-01T00:00:00Z') } },
      {
        ID: 'c',
        Status: 'Enabled',
        Filter: { And: { Prefix: 'x', ObjectSizeGreaterThan: 10, ObjectSizeLessThan: 100 } },
        NoncurrentVersionExpiration: { NoncurrentDays: 3, NewerNoncurrentVersions: 2 },
      },
      { ID: 'd', Status: 'Enabled', Filter: {}, Expiration: { ExpiredObjectDeleteMarker: true } } as LifecycleRule,
      { ID: 'e', Status: 'Enabled', Prefix: 'old', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } },
    ];
    await put(...rules);
    const { Rules, TransitionDefaultMinimumObjectSize } = await read();
    expect(Rules?.map((rule) => ({ ...rule, Filter: rule.Filter && JSON.parse(JSON.stringify(rule.Filter)) }))).toMatchObject(
      rules.map(({ Filter, ...rest }) => ({ ...rest, ...(Filter && Object.keys(Filter).length > 0 && { Filter }) })),
    );
    expect(TransitionDefaultMinimumObjectSize).toBe('all_storage_classes_128K');
    expect(rig.names()).toContain('PutBucketLifecycle');
    await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
    expect(await refusal(read())).toBe('404 NoSuchLifecycleConfiguration');
  });

  const rule = (more: object): LifecycleRule => ({ ID: 'a', Status: 'Enabled', Filter: { Prefix: '' }, ...more }) as LifecycleRule;
  test.each([
    ['501 NotImplemented', 'a transition', [rule({ Transitions: [{ Days: 1, StorageClass: 'GLACIER' }] })]],
    ['501 NotImplemented', 'a rule about tags', [rule({ Filter: { Tag: { Key: 'a', Value: 'b' } }, Expiration: { Days: 1 } })]],
    ['400 InvalidRequest', 'no action', [rule({})]],
    ['400 InvalidArgument', 'no day', [rule({ Expiration: { Days: 0 } })]],
    ['400 InvalidArgument', 'a date that is no midnight', [rule({ Expiration: { Date: new Date('2030-01-01T01:00:00Z') } })]],
    ['400 InvalidArgument', 'an id twice', [rule({ Expiration: { Days: 1 } }), rule({ Expiration: { Days: 2 } })]],
    ['400 InvalidArgument', 'an id too long', [rule({ ID: 'x'.repeat(256), Expiration: { Days: 1 } })]],
    ['400 MalformedXML', 'an unknown status', [rule({ Status: 'On', Expiration: { Days: 1 } })]],
    ['400 MalformedXML', 'days and a date', [rule({ Expiration: { Days: 1, Date: new Date('2030-01-01T00:00:00Z') } })]],
    ['400 MalformedXML', 'a filter and a prefix', [rule({ Prefix: '', Expiration: { Days: 1 } })]],
    [
      '400 InvalidArgument',
      'too many versions kept',
      [rule({ NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 101 } })],
    ],
  ])('%s for %s', async (code, _, rules) => {
    expect(await refusal(put(...rules))).toBe(code);
    expect(await refusal(read())).toBe('404 NoSuchLifecycleConfiguration');
  });

  test('a rule without an id gets one', async () => {
    await put({ Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } });
    expect((await read()).Rules?.[0]?.ID).toMatch(/^[\w-]{32}$/);
  });

  test('an upload in parts is there until its days are over', async () => {
    await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    await put({ ID: 'a', Status: 'Enabled', Filter: { Prefix: '' }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } });
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads?.length).toBe(1);
  });

  test.skipIf(aws === undefined)('AWS CLI: put, get and delete', async () => {
    const cli = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(aws!, ['s3api', ...args, '--bucket', Bucket], {
        env: clientEnvironment(rig.url, RIG_KEY, RIG_REGION),
        cwd: '/tmp',
      });
      return code === 0 ? stdout.trim() : stderr.trim();
    };
    const rules = '{"Rules":[{"Expiration":{"Days":365},"ID":"year","Filter":{"Prefix":"AWSLogs/"},"Status":"Enabled"}]}';
    await cli('put-bucket-lifecycle-configuration', '--lifecycle-configuration', rules);
    expect(JSON.parse(await cli('get-bucket-lifecycle-configuration'))).toMatchObject(JSON.parse(rules));
    expect(await cli('delete-bucket-lifecycle')).toBe('');
    expect(await cli('get-bucket-lifecycle-configuration')).toContain('(NoSuchLifecycleConfiguration)');
  });
});
