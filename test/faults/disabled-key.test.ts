/**
 * The key of an encrypted trail is switched off, and on again (F21, A23): nothing is lost, nothing is delivered in the clear.
 */
import { describe, expect, test } from 'vitest';
import type { BucketName, ObjectKey } from '../../src/event/types.ts';
import type { Objects, OpenDataKey } from '../../src/store/objects.ts';
import type { Trails } from '../../src/trail/create-trails.ts';
import { checkTrail, type TrailFindings } from '../support/check-trail.ts';
import { BUCKET, DIGEST_MS, FLUSH_MS, HOME, TRAIL_ACCOUNT, TrailRig } from '../support/trail-rig.ts';

const TRAIL_ARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;

class EncryptedRig extends TrailRig {
  /** @param encrypts What the policy gives to the service. @param context What the encryption context must have. */
  async newKey(
    encrypts = 'kms:GenerateDataKey*',
    context: Record<string, string> = { 'kms:EncryptionContext:aws:cloudtrail:arn': `arn:aws:cloudtrail:*:${TRAIL_ACCOUNT}:trail/*` },
  ): Promise<string> {
    const { Policy } = await this.sendKms('GetKeyPolicy', { KeyId: (await this.sendKms('CreateKey', {})).KeyMetadata.KeyId });
    const policy = JSON.parse(Policy);
    policy.Statement.push({
      Effect: 'Allow',
      Principal: { Service: 'cloudtrail.amazonaws.com' },
      Action: encrypts,
      Resource: '*',
      Condition: {
        StringEquals: { 'aws:SourceArn': TRAIL_ARN },
        StringLike: context,
      },
    });
    return (await this.sendKms('CreateKey', { Policy: JSON.stringify(policy) })).KeyMetadata.KeyId;
  }

  /** The independent checker, with the right to decrypt. */
  async check(): Promise<TrailFindings> {
    const openKey: OpenDataKey = async ({ dataKey, context = {} }) => {
      const input = { CiphertextBlob: dataKey, EncryptionContext: { ...context } };
      return (await this.sendKms('Decrypt', input)).Plaintext;
    };
    const get: Objects['get'] = (bucket, key, options) => this.objects.get(bucket, key, { ...options, openKey });
    return checkTrail({ keys: this.keys, objects: { ...this.objects, get } }, BUCKET);
  }

  /** How each object of the bucket that matches is encrypted. */
  async encryptionOf(pattern: RegExp): Promise<readonly (string | undefined)[]> {
    const { objects } = await this.objects.list(BUCKET as BucketName, { limit: 1_000 });
    const matching = objects.map(({ key }) => key).filter((key) => pattern.test(key));
    return Promise.all(matching.map(async (key) => (await this.objects.head(BUCKET, key as ObjectKey))?.encryption?.keyArn));
  }
}

async function newTrail(): Promise<{ rig: EncryptedRig; trails: Trails; id: string; arn: string }> {
  const rig = new EncryptedRig();
  await rig.createBucket();
  const id = await rig.newKey();
  const trails = await rig.open();
  const made = await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true, KmsKeyId: id });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  return { rig, trails, id, arn: made.KmsKeyId };
}

describe('a trail with a KMS key', () => {
  test('encrypts log files and digests with it, and receipts and public keys with none', async () => {
    const { rig, trails, id, arn } = await newTrail();
    expect(arn).toBe(`arn:aws:kms:${HOME}:${TRAIL_ACCOUNT}:key/${id}`);
    expect((await rig.send(trails, 'GetTrail', { Name: 'main' })).Trail).toMatchObject({ KmsKeyId: arn });
    await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(new Set(await rig.encryptionOf(/CloudTrail(-Digest)?\/.*\.gz$/))).toEqual(new Set([arn]));
    expect(new Set(await rig.encryptionOf(/CloudTrail-Evidence\//))).toEqual(new Set([undefined]));
  });

  test('whose key is disabled shows it, keeps what it has to deliver, and catches up once it is enabled', async () => {
    const { rig, trails, id, arn } = await newTrail();
    await rig.pass(trails, DIGEST_MS);
    const files = (await rig.encryptionOf(/\/CloudTrail\//)).length;
    await rig.sendKms('DisableKey', { KeyId: id });
    const ids: string[] = [];
    for (let events = 0; events < 5; events++) ids.push(await rig.record(HOME));
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await rig.send(trails, 'GetTrailStatus', { Name: 'main' })).toMatchObject({
      IsLogging: true,
      LatestDeliveryError: 'KMS.DisabledException',
    });
    expect((await rig.encryptionOf(/\/CloudTrail\//)).length).toBe(files);

    await rig.sendKms('EnableKey', { KeyId: id });
    await rig.pass(trails, 3 * DIGEST_MS);
    const status = await rig.send(trails, 'GetTrailStatus', { Name: 'main' });
    expect(status.LatestDeliveryError ?? '').toBe('');
    expect(new Set(await rig.encryptionOf(/CloudTrail(-Digest)?\/.*\.gz$/))).toEqual(new Set([arn]));
    const found = await rig.check();
    expect([found.faults, found.events.filter((event) => ids.includes(event)).sort()]).toEqual([[], ids]);
  });

  test('that lost objects while its key is disabled has all others put again, and says which cannot be', async () => {
    const { rig, trails, id } = await newTrail();
    for (let events = 0; events < 2; events++) {
      await rig.record(HOME);
      await rig.pass(trails, DIGEST_MS);
    }
    const { objects } = await rig.objects.list(BUCKET as BucketName, { limit: 1_000 });
    const keysOf = (folder: string) => objects.map(({ key }) => key).filter((key) => key.includes(folder) && !key.endsWith('/'));
    const [logs, receipts] = [keysOf('/CloudTrail/'), keysOf('/receipts/')];
    for (const key of [...logs, ...receipts]) await rig.objects.delete(BUCKET, key);
    const missing = async () => {
      const found = await Promise.all([...logs, ...receipts].map(async (key) => [key, await rig.objects.head(BUCKET, key)] as const));
      return found.flatMap(([key, info]) => (info === undefined ? [key] : []));
    };
    await rig.sendKms('DisableKey', { KeyId: id });
    const told: string[] = [];
    const scrub = () =>
      trails.scrub(new AbortController().signal, (each) => told.push(each.outcome === 'failed' ? String(each.error) : each.outcome));
    await scrub();
    expect([await missing(), told.slice(0, -1)]).toEqual([logs, receipts.map(() => 'put-again')]);
    expect(told.at(-1)).toContain(`${logs.length} of the objects that are gone cannot be put again, among them \`AWSLogs/`);
    await rig.sendKms('EnableKey', { KeyId: id });
    await scrub();
    expect(await missing()).toEqual([]);
  });

  test('goes on with another key, or none, when its own is gone for good', async () => {
    const { rig, trails, id } = await newTrail();
    await rig.sendKms('DisableKey', { KeyId: id });
    const event = await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    const updated = await rig.send(trails, 'UpdateTrail', { Name: 'main', KmsKeyId: '' });
    expect(updated.KmsKeyId).toBeUndefined();
    await rig.pass(trails, 2 * DIGEST_MS);
    const found = await rig.check();
    expect([found.faults, found.events.includes(event)]).toEqual([[], true]);
    expect(new Set(await rig.encryptionOf(/\/CloudTrail\//))).toEqual(new Set([undefined]));
  });

  test('is refused with the missing statement and the corrected policy when the key does not let the service encrypt', async () => {
    const rig = new EncryptedRig();
    await rig.createBucket();
    const trails = await rig.open();
    const create = (KmsKeyId: string) => rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, KmsKeyId });
    const refused = await rig.newKey('kms:DescribeKey');
    const error = await create(refused).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'InsufficientEncryptionPolicyException' });
    expect(error.message).toContain('No statement of its policy allows kms:GenerateDataKey to cloudtrail.amazonaws.com');
    const Policy = error.message.slice(error.message.indexOf('The corrected policy: ') + 'The corrected policy: '.length);
    await rig.sendKms('PutKeyPolicy', { KeyId: refused, Policy });
    expect((await create(refused)).KmsKeyId).toContain(refused);
  });

  test.each([
    ['11111111-2222-4333-8444-555555555555', 'KmsKeyNotFoundException'],
    ['alias/none', 'KmsKeyNotFoundException'],
    [`arn:aws:kms:us-west-2:${TRAIL_ACCOUNT}:key/11111111-2222-4333-8444-555555555555`, 'KmsKeyNotFoundException'],
    ['arn:aws:s3:::bucket', 'InvalidKmsKeyIdException'],
  ])('cannot have the key %s', async (KmsKeyId, code) => {
    const rig = new EncryptedRig();
    await rig.createBucket();
    const trails = await rig.open();
    await expect(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, KmsKeyId })).rejects.toMatchObject({ code });
  });

  test('cannot have a disabled key', async () => {
    const rig = new EncryptedRig();
    await rig.createBucket();
    const trails = await rig.open();
    const KmsKeyId = await rig.newKey();
    await rig.sendKms('DisableKey', { KeyId: KmsKeyId });
    await expect(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, KmsKeyId })).rejects.toMatchObject({
      code: 'KmsException',
    });
    await rig.pass(trails, FLUSH_MS);
  });
});

describe('a trail without a key, into a bucket that encrypts by default', () => {
  async function newTrailByDefault(isBucketKey: boolean): Promise<{ rig: EncryptedRig; trails: Trails; id: string; arn: string }> {
    const rig = new EncryptedRig();
    await rig.createBucket();
    const place = { 'kms:EncryptionContext:aws:s3:arn': `arn:aws:s3:::${BUCKET}${isBucketKey ? '' : '/AWSLogs/*'}` };
    const id = await rig.newKey('kms:GenerateDataKey*', place);
    await rig.objects.updateBucket(BUCKET, { encryption: { algorithm: 'aws:kms', keyId: id, isBucketKey } });
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    return { rig, trails, id, arn: `arn:aws:kms:${HOME}:${TRAIL_ACCOUNT}:key/${id}` };
  }

  test.each([false, true])('has its log files and digests encrypted with the key of the bucket (bucket key: %s)', async (isBucketKey) => {
    const { rig, trails, arn } = await newTrailByDefault(isBucketKey);
    await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(new Set(await rig.encryptionOf(/CloudTrail(-Digest)?\/.*\.gz$/))).toEqual(new Set([arn]));
    expect(new Set(await rig.encryptionOf(/CloudTrail-Evidence\//))).toEqual(new Set([undefined]));
    expect((await rig.check()).faults).toEqual([]);
  });

  test('waits while that key is disabled, shows it, and catches up', async () => {
    const { rig, trails, id } = await newTrailByDefault(false);
    await rig.sendKms('DisableKey', { KeyId: id });
    const event = await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await rig.encryptionOf(/\/CloudTrail\//)).toEqual([]);
    expect((await rig.send(trails, 'GetTrailStatus', { Name: 'main' })).LatestDeliveryError).toBe('KMS.DisabledException');
    await rig.sendKms('EnableKey', { KeyId: id });
    await rig.pass(trails, 3 * DIGEST_MS);
    const found = await rig.check();
    expect([found.faults, found.events.includes(event)]).toEqual([[], true]);
  });

  test('has them under the key of the store where that is the default', async () => {
    const rig = new EncryptedRig();
    await rig.createBucket();
    await rig.objects.updateBucket(BUCKET, { encryption: { algorithm: 'AES256' } });
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.record(HOME);
    await rig.pass(trails, 2 * FLUSH_MS);
    const { objects } = await rig.objects.list(BUCKET as BucketName, { limit: 1_000 });
    const logs = objects.filter(({ key }) => /\/CloudTrail\/.*gz$/.test(key));
    expect(new Set(logs.map(({ encryption }) => encryption?.algorithm))).toEqual(new Set(['AES256']));
  });
});
