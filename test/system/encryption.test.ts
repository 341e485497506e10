/**
 * KMS, encrypted objects and encrypted trails on the built server, with the AWS CLI and boto3 as judges (DL2, EN2).
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);
const ACCOUNT = '123837392027';
const STRANGER = '999999999999';
const REGION = 'eu-central-1';

interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

describe.skipIf(aws === undefined || python === undefined)('encryption with KMS keys', () => {
  let server: StartedServer;
  let owner: AccessKey;
  let stranger: AccessKey;

  beforeAll(async () => {
    server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '500ms', '--digest-interval', '2s'] });
    owner = await keyOf(server, ACCOUNT);
    const made = await cli(['sts', 'get-caller-identity']);
    expect(made).toMatchObject({ Account: ACCOUNT });
    const { code, stderr } = await run('node', ['bin/snowtrail', 'accounts', 'create', STRANGER], { env: environment(owner) });
    expect([code, stderr]).toEqual([0, expect.anything()]);
    stranger = await keyOf(server, STRANGER);
  });
  afterAll(async () => {
    await server.stop();
    await rm(server.dataDir, { recursive: true, force: true });
  });

  const environment = (key: AccessKey) => ({ ...clientEnvironment(server.url, key, REGION), SNOWTRAIL_ENDPOINT: server.url });
  const raw = (args: readonly string[], key: AccessKey = owner) => run(aws!, args, { env: environment(key), cwd: server.dataDir });
  // biome-ignore lint/suspicious/noExplicitAny: answers of many commands, looked at by the test that knows them.
  const cli = async (args: readonly string[], key: AccessKey = owner): Promise<any> => {
    const { code, stdout, stderr } = await raw(args, key);
    expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, expect.anything()]);
    return stdout.trim().startsWith('{') ? JSON.parse(stdout) : stdout;
  };
  const fails = async (args: readonly string[], key: AccessKey = owner): Promise<string> => {
    const { code, stderr } = await raw(args, key);
    expect(code, args.join(' ')).not.toBe(0);
    return stderr;
  };
  const newKey = async (): Promise<string> => (await cli(['kms', 'create-key'])).KeyMetadata.KeyId;

  test('boto3 makes a key, encrypts under a context, and signs', async () => {
    const script = `
import boto3, botocore
kms = boto3.client('kms')
key = kms.create_key(Description='boto3', Tags=[{'TagKey': 'Team', 'TagValue': 'a'}])['KeyMetadata']
kms.create_alias(AliasName='alias/boto3', TargetKeyId=key['Arn'])
blob = kms.encrypt(KeyId='alias/boto3', Plaintext=b'secret', EncryptionContext={'Department': 'IT'})['CiphertextBlob']
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={'Department': 'IT'})['Plaintext'] == b'secret'
try:
    kms.decrypt(CiphertextBlob=blob)
    raise SystemExit('decrypted without its context')
except kms.exceptions.InvalidCiphertextException:
    pass
data = kms.generate_data_key(KeyId=key['KeyId'], KeySpec='AES_256')
assert kms.decrypt(CiphertextBlob=data['CiphertextBlob'])['Plaintext'] == data['Plaintext'] and len(data['Plaintext']) == 32
pair = kms.create_key(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY')['KeyMetadata']
signed = kms.sign(KeyId=pair['KeyId'], Message=b'm', SigningAlgorithm='ECDSA_SHA_256')
assert kms.verify(KeyId=pair['KeyId'], Message=b'm', Signature=signed['Signature'], SigningAlgorithm='ECDSA_SHA_256')['SignatureValid']
kms.disable_key(KeyId=key['KeyId'])
try:
    kms.encrypt(KeyId=key['KeyId'], Plaintext=b'secret')
    raise SystemExit('encrypted with a disabled key')
except kms.exceptions.DisabledException:
    pass
assert kms.list_resource_tags(KeyId=key['KeyId'])['Tags'] == [{'TagKey': 'Team', 'TagValue': 'a'}]
assert len(list(kms.get_paginator('list_keys').paginate(PaginationConfig={'PageSize': 1}))) >= 2
print('done')
`;
    const { stdout, stderr } = await run(python!, ['-c', script], { env: environment(owner) });
    expect([stdout.trim(), stderr]).toEqual(['done', '']);
  });

  test('an object is encrypted at rest, read in ranges, copied and uploaded in parts, and shows its key', async () => {
    const id = await newKey();
    const arn = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`;
    const content = 'a line that nobody may read on the disk\n'.repeat(300_000);
    await writeFile(join(server.dataDir, 'plain.txt'), content);
    await cli(['s3api', 'create-bucket', '--bucket', 'vault', '--create-bucket-configuration', `LocationConstraint=${REGION}`]);
    await cli(['s3', 'cp', 'plain.txt', 's3://vault/parts.txt', '--sse', 'aws:kms', '--sse-kms-key-id', id, '--quiet']);
    await cli([
      's3api',
      'put-object',
      '--bucket',
      'vault',
      '--key',
      'one.txt',
      '--body',
      'plain.txt',
      '--server-side-encryption',
      'AES256',
    ]);
    await cli(['s3', 'cp', 's3://vault/parts.txt', 's3://vault/copy.txt', '--sse', 'aws:kms', '--sse-kms-key-id', arn, '--quiet']);
    for (const key of ['parts.txt', 'copy.txt'])
      expect(await cli(['s3api', 'head-object', '--bucket', 'vault', '--key', key])).toMatchObject({
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: arn,
        ContentLength: content.length,
      });
    expect(await cli(['s3api', 'head-object', '--bucket', 'vault', '--key', 'one.txt'])).toMatchObject({ ServerSideEncryption: 'AES256' });
    for (const key of ['parts.txt', 'copy.txt', 'one.txt']) {
      await cli(['s3', 'cp', `s3://vault/${key}`, 'read.txt', '--quiet']);
      expect((await readFile(join(server.dataDir, 'read.txt'), 'utf8')) === content, key).toBe(true);
      await cli(['s3api', 'get-object', '--bucket', 'vault', '--key', key, '--range', 'bytes=6000000-6000038', 'range.txt']);
      expect(await readFile(join(server.dataDir, 'range.txt'), 'utf8')).toBe(content.slice(6_000_000, 6_000_039));
      expect((await readFile(join(server.dataDir, 'objects/vault', key))).includes('nobody may read')).toBe(false);
    }
    await cli(['kms', 'disable-key', '--key-id', id]);
    expect(await fails(['s3api', 'get-object', '--bucket', 'vault', '--key', 'parts.txt', 'x'])).toContain('KMS.DisabledException');
    // Who asks about an object must be let in by its key as well; an answer to HEAD has no code but the status.
    expect(await fails(['s3api', 'head-object', '--bucket', 'vault', '--key', 'parts.txt'])).toContain('400');
    await cli(['s3api', 'head-object', '--bucket', 'vault', '--key', 'one.txt']);
    expect(
      await fails(['s3api', 'put-object', '--bucket', 'vault', '--key', 'x', '--server-side-encryption', 'aws:kms', '--ssekms-key-id', id]),
    ).toContain('KMS.DisabledException');
  });

  test('a bucket encrypts by default with the key that its owner chose', async () => {
    const id = await newKey();
    await cli(['s3api', 'create-bucket', '--bucket', 'by-default', '--create-bucket-configuration', `LocationConstraint=${REGION}`]);
    expect(await fails(['s3api', 'get-bucket-encryption', '--bucket', 'by-default'])).toContain(
      'ServerSideEncryptionConfigurationNotFoundError',
    );
    const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: id }, BucketKeyEnabled: true };
    const configuration = JSON.stringify({ Rules: [rule] });
    await cli(['s3api', 'put-bucket-encryption', '--bucket', 'by-default', '--server-side-encryption-configuration', configuration]);
    expect((await cli(['s3api', 'get-bucket-encryption', '--bucket', 'by-default'])).ServerSideEncryptionConfiguration.Rules).toEqual([
      rule,
    ]);
    await cli(['s3api', 'put-object', '--bucket', 'by-default', '--key', 'a']);
    expect(await cli(['s3api', 'head-object', '--bucket', 'by-default', '--key', 'a'])).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      BucketKeyEnabled: true,
    });
    await cli(['s3api', 'delete-bucket-encryption', '--bucket', 'by-default']);
    await cli(['s3api', 'put-object', '--bucket', 'by-default', '--key', 'b']);
    expect((await cli(['s3api', 'head-object', '--bucket', 'by-default', '--key', 'b'])).ServerSideEncryption).toBeUndefined();
  });

  test('a trail without a key has its files encrypted as their bucket does by default, and waits while that key is disabled', async () => {
    const id = await newKey();
    const { Policy } = await cli(['kms', 'get-key-policy', '--key-id', id, '--policy-name', 'default']);
    const policy = JSON.parse(Policy);
    policy.Statement.push({
      Effect: 'Allow',
      Principal: { Service: 'cloudtrail.amazonaws.com' },
      Action: 'kms:GenerateDataKey*',
      Resource: '*',
    });
    await cli(['kms', 'put-key-policy', '--key-id', id, '--policy-name', 'default', '--policy', JSON.stringify(policy)]);
    await cli(['s3api', 'create-bucket', '--bucket', 'default-key', '--create-bucket-configuration', `LocationConstraint=${REGION}`]);
    await cli(['s3api', 'put-bucket-policy', '--bucket', 'default-key', '--policy', JSON.stringify(bucketPolicy('default-key', ACCOUNT))]);
    const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: id } }];
    const configuration = JSON.stringify({ Rules });
    await cli(['s3api', 'put-bucket-encryption', '--bucket', 'default-key', '--server-side-encryption-configuration', configuration]);
    await cli(['cloudtrail', 'create-trail', '--name', 'by-default', '--s3-bucket-name', 'default-key']);
    await cli(['cloudtrail', 'start-logging', '--name', 'by-default']);
    const status = async (): Promise<string> =>
      (await cli(['cloudtrail', 'get-trail-status', '--name', 'by-default'])).LatestDeliveryError ?? '';
    const files = async (): Promise<readonly string[]> => {
      const { Contents = [] } = await cli([
        's3api',
        'list-objects-v2',
        '--bucket',
        'default-key',
        '--prefix',
        `AWSLogs/${ACCOUNT}/CloudTrail/`,
      ]);
      return Contents.map(({ Key }: { Key: string }) => Key);
    };
    await status();
    await expect.poll(async () => (await files()).length, { timeout: 60_000 }).toBeGreaterThan(0);
    expect(await cli(['s3api', 'head-object', '--bucket', 'default-key', '--key', (await files())[0]!])).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
    });
    await cli(['kms', 'disable-key', '--key-id', id]);
    await expect.poll(status, { timeout: 60_000 }).toBe('KMS.DisabledException');
    await cli(['kms', 'enable-key', '--key-id', id]);
    await expect.poll(status, { timeout: 90_000 }).toBe('');
    const verified = await run('node', ['bin/snowtrail', 'verify', 'by-default'], { env: environment(owner) });
    expect([verified.code, verified.stdout]).toEqual([2, expect.stringContaining('no digests found')]);
    await cli(['cloudtrail', 'delete-trail', '--name', 'by-default']);
  }, 300_000);

  test("a stranger can neither use a key nor tell whether it is there, unless the key's policy says so", async () => {
    const id = await newKey();
    const arn = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`;
    await writeFile(join(server.dataDir, 'secret'), 'secret');
    const sealed = await cli(['kms', 'encrypt', '--key-id', id, '--plaintext', 'fileb://secret', '--encryption-context', 'Team=a']);
    await writeFile(join(server.dataDir, 'blob'), Buffer.from(sealed.CiphertextBlob, 'base64'));
    const decrypt = ['kms', 'decrypt', '--ciphertext-blob', 'fileb://blob', '--encryption-context', 'Team=a'];
    expect(await fails(decrypt, stranger)).toContain('AccessDeniedException');
    expect(await fails(['kms', 'describe-key', '--key-id', arn], stranger)).toContain('AccessDeniedException');
    const { Policy } = await cli(['kms', 'get-key-policy', '--key-id', id, '--policy-name', 'default']);
    const policy = JSON.parse(Policy);
    policy.Statement.push({
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${STRANGER}:root` },
      Action: 'kms:Decrypt',
      Resource: '*',
      Condition: { StringEquals: { 'kms:EncryptionContext:Team': 'a' } },
    });
    await cli(['kms', 'put-key-policy', '--key-id', id, '--policy-name', 'default', '--policy', JSON.stringify(policy)]);
    expect((await cli(decrypt, stranger)).Plaintext).toBe(Buffer.from('secret').toString('base64'));
  });

  test('a trail encrypts with its key, waits while that is disabled, catches up, and validates and verifies', async () => {
    const id = await newKey();
    const arn = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`;
    const trail = `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/sealed`;
    await cli(['s3api', 'create-bucket', '--bucket', 'evidence', '--create-bucket-configuration', `LocationConstraint=${REGION}`]);
    await cli(['s3api', 'put-bucket-policy', '--bucket', 'evidence', '--policy', JSON.stringify(bucketPolicy('evidence', ACCOUNT))]);
    const create = ['cloudtrail', 'create-trail', '--name', 'sealed', '--s3-bucket-name', 'evidence', '--enable-log-file-validation'];
    const refused = await fails([...create, '--kms-key-id', id]);
    expect(refused).toContain('InsufficientEncryptionPolicyException');
    const policy = refused.slice(refused.indexOf('The corrected policy: ') + 'The corrected policy: '.length).trim();
    await cli(['kms', 'put-key-policy', '--key-id', id, '--policy-name', 'default', '--policy', policy]);
    await cli(['kms', 'create-alias', '--alias-name', 'alias/evidence', '--target-key-id', id]);
    expect(await cli([...create, '--kms-key-id', 'alias/evidence'])).toMatchObject({ KmsKeyId: arn });
    const startedAt = new Date().toISOString();
    await cli(['cloudtrail', 'start-logging', '--name', 'sealed']);
    const files = async (folder: string): Promise<readonly string[]> => {
      const { Contents = [] } = await cli([
        's3api',
        'list-objects-v2',
        '--bucket',
        'evidence',
        '--prefix',
        `AWSLogs/${ACCOUNT}/${folder}/`,
      ]);
      return Contents.map(({ Key }: { Key: string }) => Key);
    };
    const error = async () => (await cli(['cloudtrail', 'get-trail-status', '--name', 'sealed'])).LatestDeliveryError ?? '';
    // An event for the trail: what else is asked here are data events.
    await error();
    await expect.poll(async () => (await files('CloudTrail')).length, { timeout: 60_000 }).toBeGreaterThan(0);
    await expect.poll(async () => (await files('CloudTrail-Digest')).length, { timeout: 60_000 }).toBeGreaterThan(0);
    for (const folder of ['CloudTrail', 'CloudTrail-Digest'])
      expect(await cli(['s3api', 'head-object', '--bucket', 'evidence', '--key', (await files(folder))[0]!])).toMatchObject({
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: arn,
      });

    await cli(['kms', 'disable-key', '--key-id', id]);
    await expect.poll(error, { timeout: 60_000 }).toBe('KMS.DisabledException');
    await cli(['kms', 'enable-key', '--key-id', id]);
    await expect.poll(error, { timeout: 90_000 }).toBe('');
    await cli(['cloudtrail', 'stop-logging', '--name', 'sealed']);
    await expect
      .poll(async () => (await cli(['cloudtrail', 'get-trail-status', '--name', 'sealed'])).LatestDigestDeliveryError ?? '')
      .toBe('');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const validated = await cli(['cloudtrail', 'validate-logs', '--trail-arn', trail, '--start-time', startedAt]);
    expect(validated).toMatch(/(\d+)\/\1 digest files valid/);
    expect(validated).toMatch(/(\d+)\/\1 log files valid/);
    const verified = await run('node', ['bin/snowtrail', 'verify', trail], { env: environment(owner) });
    expect([verified.code, verified.stdout]).toEqual([0, expect.anything()]);
  }, 400_000);
});

/** The key that the server kept for the operator. */
async function keyOf({ dataDir }: StartedServer, account: string): Promise<AccessKey> {
  const folder = join(dataDir, 'access-keys');
  const names = await readdir(folder);
  const name = names.find((each) => each.startsWith(account));
  return JSON.parse(await readFile(join(folder, name!), 'utf8')) as AccessKey;
}
