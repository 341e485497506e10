/**
 * Objects of the built-in S3 under keys of a KMS elsewhere (`storage.keys`): a moto whose IAM decides what our credentials may do, and
 * another Snowtrail, whose key policy, disabled keys and outages are the real ones.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli } from '../support/clients.ts';
import { MOTO_ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { freePort, hasCommands } from '../support/start-tool.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const ELSEWHERE = '222222222222';
const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to encrypt with keys elsewhere');

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
const policyOf = (...Action: string[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] });

async function newUser(cli: AwsCli, name: string, policy: string): Promise<Key> {
  await cli('iam', 'create-user', '--user-name', name);
  await cli('iam', 'put-user-policy', '--user-name', name, '--policy-name', 'p', '--policy-document', policy);
  const { AccessKey } = await cli<{ AccessKey: { AccessKeyId: string; SecretAccessKey: string } }>(
    ...['iam', 'create-access-key', '--user-name', name],
  );
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}

/** A server whose objects may be encrypted with the keys that `keys` names, and a bucket for its trails. */
class Encrypting {
  readonly folder: string;
  readonly server: StartedServer;
  readonly cli: AwsCli;

  private constructor(folder: string, server: StartedServer, cli: AwsCli) {
    this.folder = folder;
    this.server = server;
    this.cli = cli;
  }

  static async start(keys: object): Promise<Encrypting> {
    const folder = await mkdtemp(join(tmpdir(), 'snowtrail-keys-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ storage: { keys } }));
    const server = await startServer({
      flags: ['--config', config, '--account-id', MOTO_ACCOUNT, '--flush-interval', '500ms', '--digest-interval', '2s'],
    });
    const cli = await rootCli(aws!, server, REGION);
    await cli('s3api', 'create-bucket', '--bucket', 'evidence');
    await cli('s3api', 'put-bucket-policy', '--bucket', 'evidence', '--policy', JSON.stringify(bucketPolicy('evidence', MOTO_ACCOUNT)));
    return new Encrypting(folder, server, cli);
  }

  createTrail(name: string, keyId: string): readonly string[] {
    return [
      ...['cloudtrail', 'create-trail', '--name', name, '--s3-bucket-name', 'evidence', '--enable-log-file-validation'],
      ...['--kms-key-id', keyId],
    ];
  }

  /** The error that the trail shows; empty when there is none. */
  async error(name: string): Promise<string> {
    const { LatestDeliveryError = '' } = await this.cli<{ LatestDeliveryError?: string }>('cloudtrail', 'get-trail-status', '--name', name);
    return LatestDeliveryError;
  }

  untilError(name: string, wanted: string): Promise<true> {
    return untilSaid(wanted === '' ? 'a delivery' : wanted, async () => ((await this.error(name)) === wanted ? true : undefined), 60_000);
  }

  /** A log file that was delivered after the others. */
  async newestLogFile(): Promise<string | undefined> {
    const { Contents = [] } = await this.cli<{ Contents?: readonly { Key: string }[] }>(
      ...['s3api', 'list-objects-v2', '--bucket', 'evidence', '--prefix', `AWSLogs/${MOTO_ACCOUNT}/CloudTrail/`],
    );
    return Contents.at(-1)?.Key;
  }

  /** `snowtrail verify`, which reads every object by the server. */
  async verify(): Promise<{ readonly exitCode: number | null; readonly text: string }> {
    return runCli(['verify', '--data-dir', this.server.dataDir]);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.server.dataDir, { recursive: true, force: true });
    await rm(this.folder, { recursive: true });
  }
}

describe.skipIf(!hasMoto || aws === undefined)('a key at a moto', () => {
  let moto: Moto;
  let theirs: AwsCli;
  let ours: Encrypting;
  let keyArn: string;

  beforeAll(async () => {
    moto = await startMoto();
    const anybody = awsCli(aws!, clientEnvironment(moto.endpoint, MOTO_KEY, REGION));
    keyArn = (await anybody<{ KeyMetadata: { Arn: string } }>('kms', 'create-key')).KeyMetadata.Arn;
    await anybody('kms', 'create-alias', '--alias-name', 'alias/evidence', '--target-key-id', keyArn);
    const admin = await newUser(anybody, 'admin', policyOf('*'));
    const credentials = await newUser(anybody, 'snowtrail', policyOf('kms:GenerateDataKey', 'kms:Decrypt'));
    await moto.enforce();
    theirs = awsCli(aws!, clientEnvironment(moto.endpoint, admin, REGION));
    ours = await Encrypting.start({ [`arn:aws:kms:${REGION}:${MOTO_ACCOUNT}:`]: { endpoint: moto.endpoint, credentials } });
  });
  afterAll(async () => {
    await ours?.stop();
    await moto?.stop();
  });

  test('encrypts what a trail delivers, is named by its alias, and waits for the right that our credentials lost', async () => {
    const alias = keyArn.replace(/key\/.*/, 'alias/evidence');
    expect(await ours.cli(...ours.createTrail('sealed', alias))).toMatchObject({ KmsKeyId: keyArn });
    await ours.cli('cloudtrail', 'start-logging', '--name', 'sealed');
    await ours.cli('cloudtrail', 'describe-trails');
    const key = await untilSaid('a log file', () => ours.newestLogFile());
    const file = join(ours.folder, 'file');
    expect(await ours.cli('s3api', 'get-object', '--bucket', 'evidence', '--key', key, file)).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: keyArn,
    });
    const [atRest, read] = await Promise.all([readFile(join(ours.server.dataDir, 'objects/evidence', key)), readFile(file)]);
    expect([read.subarray(0, 2).toString('hex'), atRest.includes(read.subarray(0, 16))]).toEqual(['1f8b', false]);

    const setPolicy = (policy: string) =>
      theirs('iam', 'put-user-policy', '--user-name', 'snowtrail', '--policy-name', 'p', '--policy-document', policy);
    await setPolicy(policyOf('s3:ListAllMyBuckets'));
    await ours.untilError('sealed', 'AccessDenied');
    expect(await ours.cli.refusal('s3api', 'get-object', '--bucket', 'evidence', '--key', key, file)).toContain('AccessDenied');
    await setPolicy(policyOf('kms:GenerateDataKey', 'kms:Decrypt'));
    await ours.untilError('sealed', '');
    await ours.cli('cloudtrail', 'stop-logging', '--name', 'sealed');
    const verified = await ours.verify();
    expect(verified.exitCode, verified.text.slice(0, 2_000)).toBe(0);
  });

  test('opens objects for those alone whose own policies let them, and each use is an event', async () => {
    const put = ['s3api', 'put-object', '--bucket', 'evidence', '--key', 'mine', '--body', join(ours.folder, 'snowtrail.yaml')];
    const encrypted = ['--server-side-encryption', 'aws:kms', '--ssekms-key-id', keyArn];
    await ours.cli(...put, ...encrypted);
    const [reader, auditor] = await Promise.all([
      newUser(ours.cli, 'reader', policyOf('s3:GetObject')),
      newUser(ours.cli, 'auditor', policyOf('s3:GetObject', 'kms:Decrypt')),
    ]);
    const get = ['s3api', 'get-object', '--bucket', 'evidence', '--key', 'mine', join(ours.folder, 'mine')];
    const as = (key: Key) => awsCli(aws!, clientEnvironment(ours.server.url, key, REGION));
    expect(await as(reader).refusal(...get)).toContain('AccessDenied');
    await as(auditor)(...get);
    expect(await readFile(join(ours.folder, 'mine'))).toEqual(await readFile(join(ours.folder, 'snowtrail.yaml')));
    const uses = await untilSaid('three events', async () => {
      const { Events } = await ours.cli<{ Events: readonly { CloudTrailEvent: string }[] }>(
        ...['cloudtrail', 'lookup-events', '--lookup-attributes', `AttributeKey=ResourceName,AttributeValue=${keyArn}`],
      );
      const shown = Events.map(({ CloudTrailEvent }) => JSON.parse(CloudTrailEvent));
      const mine = shown.filter(({ requestParameters }) => requestParameters?.encryptionContext?.['aws:s3:arn']?.endsWith('/mine'));
      return mine.length >= 3 ? mine : undefined;
    });
    expect(uses.map(({ eventName, userIdentity }) => `${userIdentity.userName ?? 'root'} ${eventName}`).sort()).toEqual([
      'auditor Decrypt',
      'reader Decrypt',
      'root GenerateDataKey',
    ]);
  });
});

describe.skipIf(aws === undefined)('a key at another Snowtrail', () => {
  let port: number;
  let other: StartedServer;
  let theirs: AwsCli;
  let ours: Encrypting;
  let keyArn: string;

  const startOther = async (dataDir?: string): Promise<void> => {
    other = await startServer({
      flags: ['--account-id', ELSEWHERE, '--listen', `127.0.0.1:${port}`],
      ...(dataDir === undefined ? {} : { dataDir }),
    });
    theirs = await rootCli(aws!, other, REGION);
  };

  beforeAll(async () => {
    port = await freePort();
    await startOther();
    const principal = { AWS: `arn:aws:iam::${ELSEWHERE}:root` };
    const trail = `arn:aws:cloudtrail:${REGION}:${MOTO_ACCOUNT}:trail/sealed`;
    const Statement = [
      { Effect: 'Allow', Principal: principal, NotAction: 'kms:GenerateDataKey', Resource: '*' },
      {
        Effect: 'Allow',
        Principal: principal,
        Action: 'kms:GenerateDataKey',
        Resource: '*',
        Condition: { StringEquals: { 'kms:EncryptionContext:aws:cloudtrail:arn': trail } },
      },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    keyArn = (await theirs<{ KeyMetadata: { Arn: string } }>('kms', 'create-key', '--policy', policy)).KeyMetadata.Arn;
    const { text } = await runCli(['env', '--data-dir', other.dataDir]);
    const variable = (name: string) => new RegExp(`^export ${name}='(.*)'$`, 'm').exec(text)![1]!;
    const credentials = { accessKeyId: variable('AWS_ACCESS_KEY_ID'), secretAccessKey: variable('AWS_SECRET_ACCESS_KEY') };
    ours = await Encrypting.start({ [keyArn]: { endpoint: other.url, credentials, accounts: [MOTO_ACCOUNT] } });
  });
  afterAll(async () => {
    await ours?.stop();
    await other?.stop();
    if (other) await rm(other.dataDir, { recursive: true, force: true });
  });

  test('is refused for a trail that its policy does not name, and for a key that is not there', async () => {
    expect(await ours.cli.refusal(...ours.createTrail('other', keyArn))).toMatch(/KmsException.*answered AccessDeniedException/);
    expect(await ours.cli.refusal(...ours.createTrail('other', `${keyArn.slice(0, -1)}x`))).toContain('KmsKeyNotFoundException');
  });

  test('F21 that is disabled, or cannot be reached, holds deliveries up and loses nothing', async () => {
    await ours.cli(...ours.createTrail('sealed', keyArn));
    await ours.cli('cloudtrail', 'start-logging', '--name', 'sealed');
    await ours.cli('cloudtrail', 'describe-trails');
    await untilSaid('a log file', () => ours.newestLogFile());
    await theirs('kms', 'disable-key', '--key-id', keyArn);
    await ours.untilError('sealed', 'KMS.DisabledException');
    await theirs('kms', 'enable-key', '--key-id', keyArn);
    await ours.untilError('sealed', '');

    const { dataDir } = other;
    await other.stop();
    await ours.untilError('sealed', 'KMS.ECONNREFUSED');
    await startOther(dataDir);
    await ours.untilError('sealed', '');
    await ours.cli('cloudtrail', 'stop-logging', '--name', 'sealed');
    const verified = await ours.verify();
    expect(verified.exitCode, verified.text.slice(0, 2_000)).toBe(0);
  });
});
