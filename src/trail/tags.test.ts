/**
 * Tags of trails, through the whole server.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OWNER } from '../../test/support/intake-rig.ts';
import { WholeServer } from '../../test/support/whole-server.ts';

const MAIN = 'arn:aws:cloudtrail:eu-central-1:111111111111:trail/main';
const UUID = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';

let whole: WholeServer;
beforeEach(async () => {
  whole = await WholeServer.open();
  await whole.createBucket('evidence-bucket');
});
afterEach(() => whole.close());

const create = (more: object = {}) => whole.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: 'evidence-bucket', ...more });
const add = (tags: readonly object[], resource = MAIN) => whole.cloudtrail('AddTags', { ResourceId: resource, TagsList: tags });
const remove = (tags: readonly object[], resource = MAIN) => whole.cloudtrail('RemoveTags', { ResourceId: resource, TagsList: tags });
const list = async (...arns: readonly string[]) =>
  (await whole.cloudtrail('ListTags', { ResourceIdList: arns.length === 0 ? [MAIN] : arns })).output?.ResourceTagList;
const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `key-${index}`, Value: 'x' }));

describe('tags of a trail', () => {
  test('are given with the trail, added, changed and removed, in their order', async () => {
    await create({ TagsList: [{ Key: 'team', Value: 'audit' }, { Key: 'empty' }] });
    await add([
      { Key: 'stage', Value: 'prod' },
      { Key: 'team', Value: 'security' },
    ]);
    await remove([{ Key: 'empty', Value: 'whatever' }, { Key: 'never-there' }]);
    expect(await list()).toEqual([
      {
        ResourceId: MAIN,
        TagsList: [
          { Key: 'team', Value: 'security' },
          { Key: 'stage', Value: 'prod' },
        ],
      },
    ]);
  });

  test('a trail without tags has an empty list', async () => {
    await create();
    expect(await list()).toEqual([{ ResourceId: MAIN, TagsList: [] }]);
  });

  test('go with the trail: one of the same name begins without them', async () => {
    await create({ TagsList: [{ Key: 'team', Value: 'audit' }] });
    await whole.cloudtrail('DeleteTrail', { Name: 'main' });
    expect((await whole.cloudtrail('ListTags', { ResourceIdList: [MAIN] })).code).toBe('ResourceNotFoundException');
    await create();
    expect(await list()).toEqual([{ ResourceId: MAIN, TagsList: [] }]);
  });

  test('are at most fifty', async () => {
    await create({ TagsList: numbered(49) });
    expect([
      (await add([{ Key: 'one' }])).code,
      (await add([{ Key: 'two' }])).code,
      (await add([{ Key: 'one', Value: 'again' }])).code,
    ]).toEqual(['OK', 'TagsLimitExceededException', 'OK']);
    expect((await whole.cloudtrail('CreateTrail', { Name: 'two', S3BucketName: 'evidence-bucket', TagsList: numbered(51) })).code).toBe(
      'TagsLimitExceededException',
    );
  });

  test.each([
    ['a key twice', [{ Key: 'a' }, { Key: 'a', Value: 'b' }]],
    ['a key of the service', [{ Key: 'aws:owner', Value: 'b' }]],
    ['an empty key', [{ Key: '', Value: 'b' }]],
    ['a key of 129 characters', [{ Key: 'k'.repeat(129) }]],
    ['a value of 257 characters', [{ Key: 'k', Value: 'v'.repeat(257) }]],
    ['a character that no tag has', [{ Key: 'a\n' }]],
    ['no key', [{ Value: 'b' }]],
  ])('%s is refused by every call that takes tags', async (_, tags) => {
    await create();
    const second = await whole.cloudtrail('CreateTrail', { Name: 'two', S3BucketName: 'evidence-bucket', TagsList: tags });
    expect([(await add(tags)).code, (await remove(tags)).code, second.code]).toEqual([
      'InvalidTagParameterException',
      'InvalidTagParameterException',
      'InvalidTagParameterException',
    ]);
  });

  test.each([
    ['main', 'CloudTrailARNInvalidException'],
    ['arn:aws:s3:::bucket', 'CloudTrailARNInvalidException'],
    ['arn:aws-cn:cloudtrail:eu-central-1:111111111111:trail/main', 'CloudTrailARNInvalidException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:trail/-', 'CloudTrailARNInvalidException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:trail/none', 'ResourceNotFoundException'],
    [`arn:aws:cloudtrail:eu-central-1:111111111111:eventdatastore/${UUID}`, 'EventDataStoreNotFoundException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:eventdatastore/x', 'EventDataStoreARNInvalidException'],
    [`arn:aws:cloudtrail:eu-central-1:111111111111:channel/${UUID}`, 'ResourceNotFoundException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:channel/x', 'ChannelARNInvalidException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:dashboard/board', 'ResourceNotFoundException'],
    ['arn:aws:cloudtrail:eu-central-1:111111111111:query/x', 'ResourceTypeNotSupportedException'],
  ])('%s has none: %s', async (resource, code) => {
    await create();
    const listed = await whole.cloudtrail('ListTags', { ResourceIdList: [resource] });
    expect([listed.code, (await add([{ Key: 'a' }], resource)).code, (await remove([{ Key: 'a' }], resource)).code]).toEqual([
      code,
      code,
      code,
    ]);
  });

  test('of another account look as if the trail were not there (A09)', async () => {
    await create({ TagsList: [{ Key: 'team', Value: 'audit' }] });
    const asked = async (name: string) =>
      whole.cloudtrail('ListTags', { ResourceIdList: [MAIN.replace('/main', `/${name}`)] }, { account: OWNER });
    const [there, absent] = [await asked('main'), await asked('none')];
    expect([there.status, there.code, there.message.replace('main', 'none')]).toEqual([absent.status, absent.code, absent.message]);
  });

  test('ListTags takes up to twenty trails and no token', async () => {
    await create();
    const many = (count: number) => whole.cloudtrail('ListTags', { ResourceIdList: Array(count).fill(MAIN) });
    expect([(await many(20)).code, (await many(21)).code, (await many(0)).code]).toEqual([
      'OK',
      'CloudTrailARNInvalidException',
      'CloudTrailARNInvalidException',
    ]);
    expect((await whole.cloudtrail('ListTags', { ResourceIdList: [MAIN], NextToken: 'x' })).code).toBe('InvalidTokenException');
  });

  test('a change is a fact of the journal with both hashes', async () => {
    await create();
    await add([{ Key: 'a', Value: 'b' }]);
    const entries = await whole.rig.journal.read(0n, 1_000);
    const facts = entries.flatMap((entry) =>
      entry.kind === 'fact' && entry.factKind === 'configuration' ? [JSON.parse(Buffer.from(entry.bytes).toString()) as object] : [],
    );
    expect(facts.at(-1)).toMatchObject({
      resource: MAIN,
      event: 'AddTags',
      beforeSha256: null,
      afterSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});

describe('resource policies', () => {
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 'cloudtrail-data:PutAuditEvents', Resource: '*' }],
  });
  const codes = async (ResourceArn: string) => {
    const answers = [
      await whole.cloudtrail('PutResourcePolicy', { ResourceArn, ResourcePolicy: policy }),
      await whole.cloudtrail('GetResourcePolicy', { ResourceArn }),
      await whole.cloudtrail('DeleteResourcePolicy', { ResourceArn }),
    ];
    return [...new Set(answers.map(({ code }) => code))];
  };

  test('a trail can have none; what is not there has none', async () => {
    await create();
    expect(await codes(MAIN)).toEqual(['ResourceTypeNotSupportedException']);
    for (const name of [`eventdatastore/${UUID}`, `channel/${UUID}`, 'dashboard/board'])
      expect(await codes(`arn:aws:cloudtrail:eu-central-1:111111111111:${name}`)).toEqual(['ResourceNotFoundException']);
    expect(await codes('arn:aws:s3:::bucket')).toEqual(['ResourceARNNotValidException']);
  });

  test('one that cannot be read is refused as such', async () => {
    const ResourceArn = `arn:aws:cloudtrail:eu-central-1:111111111111:channel/${UUID}`;
    expect((await whole.cloudtrail('PutResourcePolicy', { ResourceArn, ResourcePolicy: '{' })).code).toBe(
      'ResourcePolicyNotValidException',
    );
  });
});
