/**
 * An organization and its trail as stock clients see them: the AWS CLI makes both, and judges with `validate-logs` what was delivered.
 *
 * Organization Winterday (features.md): management account, two members, and one that joins while the trail logs. The trail begins as one of
 * the management account alone. cloudtrail.md §2.1, §3.1, §7.7; features.md TR2, TR3; reliability.md A15.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { type CommandResult, clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const MANAGEMENT = '111111111111';
const AUDIT = '222222222222';
const PROD = '333333333333';
const LATE = '444444444444';
const BUCKET = 'winterday-trail';
const HOME = 'us-east-1';
const ARN = `arn:aws:cloudtrail:${HOME}:${MANAGEMENT}:trail/winterday`;
const FOLDER = 'AWSLogs/o-winterday01';
const WAIT = { timeout: 60_000, interval: 500 };

const aws = await findAwsCli();
let server: StartedServer;
let begin: string;

beforeAll(async () => {
  const times = ['--flush-interval', '500ms', '--digest-interval', '4s'];
  server = await startServer({ flags: ['--account-id', MANAGEMENT, '--organization-id', 'o-winterday01', ...times] });
  const administrator = await clientOf(MANAGEMENT);
  for (const account of [AUDIT, PROD, LATE]) await administrator.call('CreateAccount', { Account: account, Name: `account ${account}` });
  begin = new Date(Date.now() - 1_000).toISOString();
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(server.dataDir, { recursive: true, force: true });
});

const clientOf = async (account: string) => new Client(await findServer({ dataDir: server.dataDir, account }));

async function cli(account: string, ...words: readonly string[]): Promise<CommandResult> {
  const { access } = await clientOf(account);
  const key = { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey };
  const config = join(server.dataDir, 'aws-config');
  await writeFile(config, '[default]\ns3 =\n  addressing_style = path\n');
  return run(aws!, words, { env: { ...clientEnvironment(server.url, key, HOME), AWS_CONFIG_FILE: config } });
}

/** The answer's JSON; the exit code is 0. */
async function answer(account: string, ...words: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await cli(account, ...words);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout === '' ? undefined : (JSON.parse(stdout) as unknown);
}

/** The code of the service's refusal. */
async function refusal(account: string, ...words: readonly string[]): Promise<string | undefined> {
  return /An error occurred \((\w+)\)/.exec((await cli(account, ...words)).stderr)?.[1];
}

async function joinOrganization(account: string): Promise<void> {
  const target = `Id=${account},Type=ACCOUNT`;
  const invited = await answer(MANAGEMENT, 'organizations', 'invite-account-to-organization', '--target', target);
  const { Handshake } = invited as { Handshake: { Id: string } };
  expect(await answer(account, 'organizations', 'accept-handshake', '--handshake-id', Handshake.Id, '--query', 'Handshake.State')).toBe(
    'ACCEPTED',
  );
}

function policyOf(...folders: readonly [sid: string, folder: string][]): string {
  const Principal = { Service: 'cloudtrail.amazonaws.com' };
  const write = ([Sid, folder]: readonly [string, string]) => ({
    ...{ Sid, Effect: 'Allow', Principal, Action: 's3:PutObject', Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${folder}/*` },
    Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control', 'aws:SourceArn': ARN } },
  });
  const acl = { Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${BUCKET}` };
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Sid: 'AWSCloudTrailAclCheck20150319', ...acl }, ...folders.map(write)],
  });
}

/** Keys of an account's log files or digests in the organization's folder. */
async function keysOf(account: string, kind: 'CloudTrail' | 'CloudTrail-Digest'): Promise<readonly string[]> {
  const query = ['--prefix', `${FOLDER}/${account}/${kind}/`, '--query', 'Contents[].Key'];
  return ((await answer(MANAGEMENT, 's3api', 'list-objects', '--bucket', BUCKET, ...query)) as string[] | null) ?? [];
}

/** Waits until a digest lists what was delivered for the account. */
async function digestsOf(account: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect((await keysOf(account, 'CloudTrail-Digest')).length).toBeGreaterThanOrEqual(count), WAIT);
}

async function expectValid(account: string): Promise<void> {
  const { code, stdout, stderr } = await cli(
    ...([MANAGEMENT, 'cloudtrail', 'validate-logs', '--trail-arn', ARN, '--start-time', begin, '--account-id', account] as const),
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^([1-9][0-9]*)\/\1 digest files valid$/m);
  expect(stdout).toMatch(/^([1-9][0-9]*)\/\1 log files valid$/m);
  expect(code).toBe(0);
}

const trail = (operation: string, ...words: readonly string[]) => ['cloudtrail', operation, '--name', 'winterday', ...words];
const CREATE = trail('create-trail', '--s3-bucket-name', BUCKET, '--is-multi-region-trail', '--enable-log-file-validation');

test.skipIf(aws === undefined)(
  'TR2 TR3 an account trail becomes one of the organization, delivers for accounts of today and of tomorrow, and validates for each of them',
  { timeout: 300_000 },
  async () => {
    await answer(MANAGEMENT, 's3api', 'create-bucket', '--bucket', BUCKET);
    const putPolicy = (policy: string) => answer(MANAGEMENT, 's3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', policy);
    await putPolicy(policyOf(['AWSCloudTrailWrite20150319', MANAGEMENT]));

    // Each condition has its own refusal.
    expect(await refusal(MANAGEMENT, ...CREATE, '--is-organization-trail')).toBe('OrganizationsNotInUseException');
    await answer(MANAGEMENT, 'organizations', 'create-organization');
    await joinOrganization(AUDIT);
    await joinOrganization(PROD);
    expect(await refusal(PROD, ...CREATE, '--is-organization-trail')).toBe('NotOrganizationMasterAccountException');
    expect(await refusal(MANAGEMENT, ...CREATE, '--is-organization-trail')).toBe('CloudTrailAccessNotEnabledException');
    await answer(MANAGEMENT, 'organizations', 'enable-aws-service-access', '--service-principal', 'cloudtrail.amazonaws.com');
    const { stderr } = await cli(MANAGEMENT, ...CREATE, '--is-organization-trail');
    expect(stderr).toContain('InsufficientS3BucketPolicyException');
    expect(stderr).toContain(`Add the statement AWSCloudTrailOrganizationWrite20150319 of the documented CloudTrail bucket policy`);

    // A trail of the account alone, with digests, becomes one of the organization.
    await answer(MANAGEMENT, ...CREATE);
    await answer(MANAGEMENT, ...trail('start-logging'));
    const own = ['--prefix', `AWSLogs/${MANAGEMENT}/CloudTrail-Digest/`, '--query', 'Contents[].Key'];
    await vi.waitFor(
      async () => expect(await answer(MANAGEMENT, 's3api', 'list-objects', '--bucket', BUCKET, ...own)).not.toBeNull(),
      WAIT,
    );
    await putPolicy(policyOf(['AWSCloudTrailWrite20150319', MANAGEMENT], ['AWSCloudTrailOrganizationWrite20150319', 'o-winterday01']));
    expect(await answer(MANAGEMENT, ...trail('update-trail', '--is-organization-trail', '--query', 'IsOrganizationTrail'))).toBe(true);
    for (const account of [AUDIT, PROD]) await answer(account, 'cloudtrail', 'list-trails');
    await digestsOf(PROD, 1);

    // One more account joins while it logs.
    await joinOrganization(LATE);
    await answer(LATE, 'cloudtrail', 'list-trails');
    await vi.waitFor(async () => expect(await keysOf(LATE, 'CloudTrail')).not.toEqual([]), WAIT);

    // Members see the trail, and change nothing of it.
    for (const name of ['winterday', ARN]) {
      expect(await answer(PROD, 'cloudtrail', 'get-trail-status', '--name', name, '--query', 'IsLogging')).toBe(true);
      expect(await answer(PROD, 'cloudtrail', 'get-trail', '--name', name, '--query', 'Trail.TrailARN')).toBe(ARN);
      for (const operation of ['stop-logging', 'delete-trail', 'update-trail', 'start-logging'])
        expect(await refusal(PROD, 'cloudtrail', operation, '--name', name)).toBe('NotOrganizationMasterAccountException');
    }
    const tag = ['--resource-id', ARN, '--tags-list', 'Key=Team,Value=Prod'];
    for (const operation of ['add-tags', 'remove-tags'])
      expect(await refusal(PROD, 'cloudtrail', operation, ...tag)).toBe('NotOrganizationMasterAccountException');
    const seen = ['cloudtrail', 'describe-trails', '--query', 'trailList[].TrailARN'];
    expect(await answer(PROD, ...seen)).toEqual([ARN]);
    expect(await answer(PROD, ...seen, '--no-include-shadow-trails')).toEqual([]);

    // An account that leaves loses it; what was delivered for it stays and validates.
    await answer(LATE, 'organizations', 'leave-organization');
    expect(await refusal(LATE, 'cloudtrail', 'get-trail', '--name', ARN)).toBe('TrailNotFoundException');
    await answer(LATE, 'cloudtrail', 'list-public-keys');
    const digests = (await keysOf(PROD, 'CloudTrail-Digest')).length;
    await digestsOf(PROD, digests + 2);
    const ended = (await keysOf(LATE, 'CloudTrail-Digest')).length;
    await digestsOf(PROD, digests + 4);
    expect(await keysOf(LATE, 'CloudTrail-Digest')).toHaveLength(ended);

    for (const account of [MANAGEMENT, AUDIT, PROD, LATE]) await expectValid(account);
    for (const target of ['winterday', `s3://${BUCKET}`]) {
      const { exitCode, text, stderr: problems } = await runCli(['verify', target, '--data-dir', server.dataDir]);
      expect(`${text}${problems}`).toContain('CONSISTENT (exit 0)');
      expect(exitCode).toBe(0);
    }

    // A file that somebody adds to the folder of an account is named, whether the account has any or not.
    const key = (await keysOf(PROD, 'CloudTrail'))[0]!;
    const forged = key.replaceAll(PROD, '555555555555');
    await answer(MANAGEMENT, 's3api', 'copy-object', '--bucket', BUCKET, '--key', forged, '--copy-source', `${BUCKET}/${key}`);
    const { exitCode, text } = await runCli(['verify', 'winterday', '--data-dir', server.dataDir]);
    expect(text).toContain(forged);
    expect(exitCode).toBe(1);

    // So is one that somebody takes away from a member.
    for (const gone of [forged, key]) await answer(MANAGEMENT, 's3api', 'delete-object', '--bucket', BUCKET, '--key', gone);
    const after = await runCli(['verify', 'winterday', '--data-dir', server.dataDir]);
    expect(after.text).toContain(key);
    expect(after.exitCode).toBe(1);
  },
);

test.skipIf(aws === undefined)(
  'a delegated administrator works on the trails of the organization, until it is none any more',
  { timeout: 120_000 },
  async () => {
    const member = ['--member-account-id', AUDIT];
    const register = ['cloudtrail', 'register-organization-delegated-admin', '--member-account-id'];
    const deregister = ['cloudtrail', 'deregister-organization-delegated-admin', '--delegated-admin-account-id'];
    expect(await refusal(PROD, ...register, AUDIT)).toBe('NotOrganizationManagementAccountException');
    expect(await refusal(LATE, ...register, AUDIT)).toBe('OrganizationsNotInUseException');
    expect(await refusal(MANAGEMENT, ...register, MANAGEMENT)).toBe('CannotDelegateManagementAccountException');
    expect(await refusal(MANAGEMENT, ...register, LATE)).toBe('AccountNotFoundException');
    expect(await refusal(MANAGEMENT, ...deregister, AUDIT)).toBe('AccountNotRegisteredException');
    await answer(MANAGEMENT, 'cloudtrail', 'register-organization-delegated-admin', ...member);
    expect(await refusal(MANAGEMENT, ...register, AUDIT)).toBe('AccountRegisteredException');
    const listed = ['organizations', 'list-delegated-administrators', '--service-principal', 'cloudtrail.amazonaws.com'];
    expect(await answer(AUDIT, ...listed, '--query', 'DelegatedAdministrators[].Id')).toEqual([AUDIT]);

    await answer(AUDIT, 'cloudtrail', 'stop-logging', '--name', ARN);
    await answer(AUDIT, 'cloudtrail', 'start-logging', '--name', ARN);
    const demote = ['cloudtrail', 'update-trail', '--name', ARN, '--no-is-organization-trail'];
    expect(await refusal(AUDIT, ...demote)).toBe('NotOrganizationMasterAccountException');
    const other = ['cloudtrail', 'create-trail', '--name', 'second', '--s3-bucket-name', BUCKET, '--is-organization-trail'];
    const policy = ['s3api', 'get-bucket-policy', '--bucket', BUCKET, '--query', 'Policy', '--output', 'text'];
    const { stdout } = await cli(MANAGEMENT, ...policy);
    const both = stdout.replaceAll(`"${ARN}"`, `["${ARN}","${ARN.replace('winterday', 'second')}"]`);
    await answer(MANAGEMENT, 's3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', both);
    expect(await answer(AUDIT, ...other, '--query', 'TrailARN')).toBe(ARN.replace('winterday', 'second'));

    await answer(MANAGEMENT, ...deregister, AUDIT);
    expect(await refusal(AUDIT, 'cloudtrail', 'stop-logging', '--name', ARN)).toBe('NotOrganizationMasterAccountException');
    expect(await refusal(AUDIT, ...other)).toBe('NotOrganizationMasterAccountException');

    // Back to the account alone: members lose it.
    expect(await refusal(MANAGEMENT, 'organizations', 'delete-organization')).toBe('OrganizationNotEmptyException');
    expect(await answer(MANAGEMENT, ...demote, '--query', 'IsOrganizationTrail')).toBe(false);
    expect(await refusal(PROD, 'cloudtrail', 'get-trail', '--name', ARN)).toBe('TrailNotFoundException');
  },
);

test.skipIf(aws === undefined)(
  'a service control policy binds the members below it, their roots as well, and never the management account',
  { timeout: 120_000 },
  async () => {
    const deny = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: 'cloudtrail:LookupEvents', Resource: '*' }] };
    const words = [
      '--name',
      'Quiet',
      '--description',
      'nobody looks',
      '--type',
      'SERVICE_CONTROL_POLICY',
      '--query',
      'Policy.PolicySummary.Id',
    ];
    const id = (await answer(MANAGEMENT, 'organizations', 'create-policy', '--content', JSON.stringify(deny), ...words)) as string;
    const [root] = (await answer(MANAGEMENT, 'organizations', 'list-roots', '--query', 'Roots[].Id')) as [string];
    const attach = ['organizations', 'attach-policy', '--policy-id', id, '--target-id', root];
    expect(await refusal(MANAGEMENT, ...attach)).toBe('PolicyTypeNotEnabledException');
    await answer(MANAGEMENT, 'organizations', 'enable-policy-type', '--root-id', root, '--policy-type', 'SERVICE_CONTROL_POLICY');
    const look = ['cloudtrail', 'lookup-events', '--max-items', '1'];
    expect(await refusal(PROD, ...look)).toBeUndefined();
    await answer(MANAGEMENT, ...attach);
    expect(await refusal(PROD, ...look)).toBe('AccessDeniedException');
    expect(await refusal(MANAGEMENT, ...look)).toBeUndefined();
    const malformed = ['--content', '{"Version":"2012-10-17","Statement":[{"Effect":"Deny"}]}', ...words.with(1, 'Broken')];
    expect(await refusal(MANAGEMENT, 'organizations', 'create-policy', ...malformed)).toBe('MalformedPolicyDocumentException');
    await answer(MANAGEMENT, 'organizations', 'detach-policy', '--policy-id', id, '--target-id', root);
    expect(await refusal(PROD, ...look)).toBeUndefined();
  },
);
