/**
 * The S3 subset as it is on the wire: documents, headers, error codes, and the record of each call.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeSignedChunk, signRequest } from '../../src/http/sign-request.ts';
import { HttpRig, OTHER_ACCOUNT, OTHER_KEY, RIG_ACCOUNT, RIG_KEY, RIG_REGION, type SendOptions } from '../support/http-rig.ts';

let rig: HttpRig;
beforeAll(async () => {
  rig = await HttpRig.start();
});
afterAll(() => rig.close());

/** A fresh bucket for each test. */
let bucket = '';
let count = 0;
beforeEach(async () => {
  bucket = `bucket-${++count}`;
  rig.isRecordingBroken = false;
  await rig.send('PUT', `/${bucket}`);
  rig.records.length = 0;
});

const send = (method: string, path: string, options?: SendOptions) => rig.send(method, `/${bucket}${path}`, options);
const codeOf = (text: string): string | undefined => /<Error><Code>(\w+)<\/Code>/.exec(text)?.[1];
const all = (text: string, element: string): string[] =>
  [...text.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map((match) => match[1]!);
const base64 = (bytes: Buffer): string => bytes.toString('base64');
const crcOf = (text: string): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return base64(bytes);
};

describe('buckets', () => {
  test('one is made in the Region of the request or of its constraint, and listed', async () => {
    const constraint = '<CreateBucketConfiguration><LocationConstraint>ap-south-1</LocationConstraint></CreateBucketConfiguration>';
    expect((await rig.send('PUT', '/made-elsewhere', { region: 'us-east-1', body: constraint })).status).toBe(200);
    expect((await rig.send('GET', '/made-elsewhere?location')).text).toContain('>ap-south-1</LocationConstraint>');
    expect((await send('GET', '?location')).text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-central-1</LocationConstraint>',
    );
    expect(codeOf((await rig.send('PUT', '/made-here', { body: constraint })).text)).toBe('IllegalLocationConstraintException');
    expect(all((await rig.send('GET', '/')).text, 'Name')).toEqual(expect.arrayContaining([bucket, 'made-elsewhere']));
    expect(all((await rig.send('GET', '/?bucket-region=ap-south-1')).text, 'Name')).toEqual(['made-elsewhere']);
    expect(all((await rig.send('GET', '/', { key: OTHER_KEY })).text, 'Name')).toEqual([]);
    const tagged = '<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>';
    expect((await rig.send('PUT', '/made-with-tags', { body: tagged })).status).toBe(501);
  });

  test.each(['ab', 'a'.repeat(64), 'Upper', 'a_b', '-ab', 'ab-', 'a..b', '10.0.0.1', 'xn--abc', 'abc-s3alias'])(
    'the name `%s` is refused',
    async (name) => {
      expect(codeOf((await rig.send('PUT', `/${name}`)).text)).toBe('InvalidBucketName');
    },
  );

  test('a name that is taken is refused, with another code for the owner', async () => {
    const own = await send('PUT', '');
    expect([own.status, codeOf(own.text)]).toEqual([409, 'BucketAlreadyOwnedByYou']);
    expect(codeOf((await send('PUT', '', { key: OTHER_KEY })).text)).toBe('BucketAlreadyExists');
  });

  test('a bucket with an object or a version cannot be deleted, an empty one can', async () => {
    await send('PUT', '/key', { body: 'x' });
    expect(codeOf((await send('DELETE', '')).text)).toBe('BucketNotEmpty');
    await send('DELETE', '/key');
    expect((await send('DELETE', '')).status).toBe(204);
    expect(codeOf((await send('GET', '?location')).text)).toBe('NoSuchBucket');
    expect((await send('HEAD', '')).status).toBe(404);
  });

  test('a bucket whose versions begin behind a page of removed files cannot be deleted, and the record says so', async () => {
    await send('PUT', '/key', { body: 'x' });
    const { listVersions } = rig.objects;
    rig.objects.listVersions = async (name, options) =>
      options.after === undefined
        ? { versions: [], commonPrefixes: [], next: { key: 'a', versionId: 'null' } }
        : listVersions(name, options);
    const before = rig.records.length;
    expect(codeOf((await send('DELETE', '')).text)).toBe('BucketNotEmpty');
    rig.objects.listVersions = listVersions;
    expect(rig.records.slice(before).map(({ error }) => error?.code)).toEqual(['BucketNotEmpty']);
  });

  const setPolicy = (...Statement: object[]) => send('PUT', '?policy', { body: JSON.stringify({ Version: '2012-10-17', Statement }) });

  test('another account has what the policy gives it, and not more (A17)', async () => {
    await send('PUT', '/shared/key', { body: 'x' });
    await setPolicy({
      Effect: 'Allow',
      Principal: { AWS: OTHER_ACCOUNT },
      Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
      Resource: `arn:aws:s3:::${bucket}/shared/*`,
    });
    const as = async (method: string, path: string, body?: string) =>
      (await send(method, path, { key: OTHER_KEY, ...(body === undefined ? {} : { body }) })).status;
    expect(await as('PUT', '/shared/theirs', 'y')).toBe(200);
    expect(await as('GET', '/shared/key')).toBe(200);
    const own = rig.records.at(-1)?.resources?.at(-1);
    expect(own).toEqual({ type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${bucket}`, account: RIG_ACCOUNT });
    // Who may not list a bucket is not told that something is not there.
    expect(await as('GET', '/shared/no-such-key')).toBe(403);
    expect(await as('GET', '/key')).toBe(403);
    expect(await as('GET', '?prefix=shared/')).toBe(403);
    expect(await as('GET', '?policy')).toBe(403);
    expect(await as('POST', '?delete', 'no xml')).toBe(403);
    const doomed = (...keys: string[]) => `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`;
    expect(await as('POST', '?delete', doomed('key', 'other'))).toBe(403);
    const some = await send('POST', '?delete', { key: OTHER_KEY, body: doomed('key', 'shared/theirs') });
    expect([all(some.text, 'Key'), all(some.text, 'Code')]).toEqual([['shared/theirs', 'key'], ['AccessDenied']]);
    expect(rig.names().slice(-3)).toEqual(['DeleteObjects', 'DeleteObject:AccessDenied', 'DeleteObject']);
    // What another account puts is the bucket owner's.
    expect((await send('GET', '?list-type=2&fetch-owner=true')).text).toContain('<Key>shared/key</Key>');
  });

  test('the owner’s root is bound by a denial as well, but can always take the policy away', async () => {
    await send('PUT', '/key', { body: 'x' });
    await setPolicy({ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] });
    const refused = await send('GET', '/key');
    expect([refused.status, codeOf(refused.text)]).toEqual([403, 'AccessDenied']);
    expect(refused.text).toContain(
      `<Message>User: arn:aws:iam::${RIG_ACCOUNT}:root is not authorized to perform: s3:GetObject on resource: &quot;arn:aws:s3:::${bucket}/key&quot; with an explicit deny in a resource-based policy</Message>`,
    );
    expect((await send('GET', '?policy')).status).toBe(200);
    expect((await send('DELETE', '?policy')).status).toBe(204);
    expect((await send('GET', '/key')).text).toBe('x');
  });

  test('conditions see the headers and parameters of the call', async () => {
    await setPolicy(
      {
        Effect: 'Allow',
        Principal: { AWS: OTHER_ACCOUNT },
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${bucket}/*`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      },
      {
        Effect: 'Allow',
        Principal: { AWS: OTHER_ACCOUNT },
        Action: 's3:ListBucket',
        Resource: `arn:aws:s3:::${bucket}`,
        Condition: { StringLike: { 's3:prefix': 'shared/*' }, NumericLessThanEquals: { 's3:max-keys': '10' } },
      },
    );
    const put = (headers: Record<string, string>) => send('PUT', '/theirs', { key: OTHER_KEY, body: 'x', headers });
    expect((await put({})).status).toBe(403);
    expect((await put({ 'x-amz-acl': 'bucket-owner-full-control' })).status).toBe(200);
    const list = async (query: string) => (await send('GET', query, { key: OTHER_KEY })).status;
    expect([await list('?prefix=shared/&max-keys=10'), await list('?prefix=shared/'), await list('?prefix=&max-keys=10')]).toEqual([
      200, 403, 403,
    ]);
  });

  test('nobody but the owner has any right where no policy gives it', async () => {
    await send('PUT', '/key', { body: 'x' });
    const calls: [string, string][] = [
      ['GET', ''],
      ['HEAD', ''],
      ['DELETE', ''],
      ['GET', '?policy'],
      ['PUT', '?policy'],
      ['GET', '?acl'],
      ['GET', '?tagging'],
      ['PUT', '?tagging'],
      ['GET', '/key'],
      ['HEAD', '/key'],
      ['PUT', '/key'],
      ['DELETE', '/key'],
      ['GET', '?versions'],
      ['GET', '?uploads'],
      ['POST', '/key?uploads'],
      ['POST', '?delete'],
      ['PUT', '?versioning'],
    ];
    for (const [method, path] of calls)
      expect([method, path, (await send(method, path, { key: OTHER_KEY })).status]).toEqual([method, path, 403]);
    expect((await send('GET', '/key')).text).toBe('x');
    expect(rig.names().filter((name) => name.endsWith(':AccessDenied')).length).toBe(calls.length);
    // The record of a refusal does not say that the bucket is the stranger's.
    const bucketOf = (at: number) => rig.records.at(at)?.resources?.find(({ type }) => type === 'AWS::S3::Bucket');
    await send('GET', '/no-such-key');
    expect([bucketOf(-3), bucketOf(-1)]).toEqual([
      { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${bucket}` },
      { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${bucket}`, account: RIG_ACCOUNT },
    ]);
  });

  test('the expected owner is checked', async () => {
    expect((await send('HEAD', '', { headers: { 'x-amz-expected-bucket-owner': RIG_ACCOUNT } })).status).toBe(200);
    expect((await send('HEAD', '', { headers: { 'x-amz-expected-bucket-owner': '000000000009' } })).status).toBe(403);
  });

  test('a policy comes back as it was put, and goes', async () => {
    const policy = `{ "Version": "2012-10-17", "Statement": [ {"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::${bucket}"} ] }`;
    expect(codeOf((await send('GET', '?policy')).text)).toBe('NoSuchBucketPolicy');
    expect((await send('PUT', '?policy', { body: policy })).status).toBe(204);
    expect((await send('GET', '?policy')).text).toBe(policy);
    expect(rig.records[1]).toMatchObject({
      eventName: 'PutBucketPolicy',
      category: 'Management',
      requestParameters: { bucketName: bucket, policy: '', bucketPolicy: JSON.parse(policy) },
    });
    expect((await send('DELETE', '?policy')).status).toBe(204);
    expect(codeOf((await send('GET', '?policy')).text)).toBe('NoSuchBucketPolicy');
  });

  test.each([
    ['no JSON', () => 'x'],
    ['empty', () => ''],
    ['no statement', () => '{}'],
    [
      'another bucket',
      () =>
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::elsewhere/*"}]}',
    ],
    ['above 20 KB', () => `{"Version":"2012-10-17","Statement":[]${' '.repeat(21_000)}}`],
  ])('a policy that is %s is malformed', async (_, policy) => {
    const { status, text } = await send('PUT', '?policy', { body: policy() });
    expect([status, codeOf(text)]).toEqual([400, 'MalformedPolicy']);
  });

  test('the ACL is the owner’s full control, and cannot be changed', async () => {
    await send('PUT', '/key', { body: 'x' });
    for (const path of ['?acl', '/key?acl']) {
      const { text } = await send('GET', path);
      expect(text).toMatch(
        /<Owner><ID>([0-9a-f]{64})<\/ID><\/Owner><AccessControlList><Grant><Grantee xmlns:xsi="[^"]*" xsi:type="CanonicalUser"><ID>\1<\/ID><\/Grantee><Permission>FULL_CONTROL<\/Permission><\/Grant>/,
      );
      expect(codeOf((await send('PUT', path, { headers: { 'x-amz-acl': 'public-read' } })).text)).toBe('AccessControlListNotSupported');
    }
    expect(codeOf((await send('PUT', '/other', { headers: { 'x-amz-acl': 'public-read' } })).text)).toBe('AccessControlListNotSupported');
    expect((await send('PUT', '/other', { headers: { 'x-amz-acl': 'bucket-owner-full-control' } })).status).toBe(200);
  });

  test('settings that are not kept are answered as not configured, and refused when set', async () => {
    const codes: Record<string, string | undefined> = {};
    for (const name of ['cors', 'website', 'replication']) {
      codes[name] = codeOf((await send('GET', `?${name}`)).text);
      expect([name, (await send('PUT', `?${name}`, { body: '<x/>' })).status]).toEqual([name, 501]);
    }
    expect(codes).toEqual({
      cors: 'NoSuchCORSConfiguration',
      website: 'NoSuchWebsiteConfiguration',
      replication: 'ReplicationConfigurationNotFoundError',
    });
    for (const name of ['logging', 'notification', 'accelerate', 'requestPayment'])
      expect((await send('GET', `?${name}`)).status).toBe(200);
    expect(rig.names()).toContain('GetBucketCors:NoSuchCORSConfiguration');
    expect(rig.names()).toContain('PutBucketCors:NotImplemented');
  });

  test('tags are put as a whole, read in their order, and taken away', async () => {
    expect(codeOf((await send('GET', '?tagging')).text)).toBe('NoSuchTagSet');
    const tagging = (tags: string) => send('PUT', '?tagging', { body: `<Tagging><TagSet>${tags}</TagSet></Tagging>` });
    const tag = (key: string, value = '') => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
    expect((await tagging(tag('team', 'a&amp;b') + tag('a'))).status).toBe(400);
    expect((await tagging(tag('team', 'a b') + tag('a'))).status).toBe(204);
    const { text } = await send('GET', '?tagging');
    expect([all(text, 'Key'), text.includes('<Value>a b</Value>')]).toEqual([['team', 'a'], true]);
    for (const bad of [tag('aws:x'), tag('a') + tag('a'), tag(''), tag('x'.repeat(129)), tag('a', 'x'.repeat(257))])
      expect(codeOf((await tagging(bad)).text)).toBe('InvalidTag');
    expect((await send('DELETE', '?tagging')).status).toBe(204);
    expect(codeOf((await send('GET', '?tagging')).text)).toBe('NoSuchTagSet');
    expect(rig.names()).toContain('DeleteBucketTagging');
  });

  test('a new bucket is closed to the public: a policy for everybody is refused until that is lifted', async () => {
    const block = (flag: boolean) =>
      `<PublicAccessBlockConfiguration><BlockPublicPolicy>${flag}</BlockPublicPolicy></PublicAccessBlockConfiguration>`;
    const everybody = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` }],
    });
    expect(all((await send('GET', '?publicAccessBlock')).text, 'RestrictPublicBuckets')).toEqual(['true']);
    expect(codeOf((await send('GET', '?policyStatus')).text)).toBe('NoSuchBucketPolicy');
    const refused = await send('PUT', '?policy', { body: everybody });
    expect([refused.status, codeOf(refused.text)]).toEqual([403, 'AccessDenied']);
    expect((await send('PUT', '?publicAccessBlock', { body: block(false) })).status).toBe(200);
    expect((await send('PUT', '?policy', { body: everybody })).status).toBe(204);
    expect(all((await send('GET', '?policyStatus')).text, 'IsPublic')).toEqual(['true']);
    await send('PUT', '/open', { body: 'x' });
    expect((await send('GET', '/open', { key: OTHER_KEY })).status).toBe(200);
    const restrict = '<PublicAccessBlockConfiguration><RestrictPublicBuckets>TRUE</RestrictPublicBuckets></PublicAccessBlockConfiguration>';
    await send('PUT', '?publicAccessBlock', { body: restrict });
    expect([(await send('GET', '/open', { key: OTHER_KEY })).status, (await send('GET', '/open')).status]).toEqual([403, 200]);
    expect((await send('DELETE', '?publicAccessBlock')).status).toBe(204);
    expect(codeOf((await send('GET', '?publicAccessBlock')).text)).toBe('NoSuchPublicAccessBlockConfiguration');
  });

  test('EN4: with BucketOwnerEnforced any ACL but the owner’s full control is AccessControlListNotSupported', async () => {
    const controls = (ownership: string) =>
      `<OwnershipControls><Rule><ObjectOwnership>${ownership}</ObjectOwnership></Rule></OwnershipControls>`;
    const putWith = async (acl: string) => {
      const { status, text } = await send('PUT', '/owned', { body: 'x', headers: { 'x-amz-acl': acl } });
      return status === 200 ? 'taken' : codeOf(text);
    };
    expect(all((await send('GET', '?ownershipControls')).text, 'ObjectOwnership')).toEqual(['BucketOwnerEnforced']);
    expect(await putWith('bucket-owner-full-control')).toBe('taken');
    for (const acl of ['private', 'public-read', 'bucket-owner-read']) expect(await putWith(acl)).toBe('AccessControlListNotSupported');
    expect(codeOf((await send('PUT', '?acl', { headers: { 'x-amz-acl': 'private' } })).text)).toBe('AccessControlListNotSupported');
    expect((await send('PUT', '?ownershipControls', { body: controls('Nobody') })).status).toBe(400);
    expect((await send('PUT', '?ownershipControls', { body: controls('BucketOwnerPreferred') })).status).toBe(200);
    expect(await putWith('private')).toBe('taken');
    expect((await send('PUT', '?acl', { headers: { 'x-amz-acl': 'private' } })).status).toBe(200);
    expect(await putWith('public-read')).toBe('NotImplemented');
    const own = (await send('GET', '?acl')).text;
    expect((await send('PUT', '?acl', { body: own })).status).toBe(200);
    expect((await send('DELETE', '?ownershipControls')).status).toBe(204);
    expect(codeOf((await send('GET', '?ownershipControls')).text)).toBe('OwnershipControlsNotFoundError');
  });

  test('a new bucket takes no ACL beside BucketOwnerEnforced, and its owner’s alone beside the others', async () => {
    const create = async (name: string, headers: Record<string, string>) => {
      const { status, text } = await rig.send('PUT', `/${name}`, { headers });
      return status === 200 ? 'made' : codeOf(text);
    };
    expect(await create('acl-one', { 'x-amz-acl': 'public-read' })).toBe('InvalidBucketAclWithObjectOwnership');
    expect(await create('acl-two', { 'x-amz-acl': 'private' })).toBe('made');
    expect(await create('acl-three', { 'x-amz-object-ownership': 'ObjectWriter' })).toBe('made');
    expect(await create('acl-four', { 'x-amz-object-ownership': 'Other' })).toBe('InvalidArgument');
  });
});

describe('objects', () => {
  test('what was put is read back with its headers and metadata', async () => {
    const headers = {
      'content-type': 'text/x',
      'cache-control': 'no-store',
      'content-disposition': 'inline',
      'content-encoding': 'x-own',
      'x-amz-meta-signature': 'ab',
      'x-amz-meta-text': Buffer.from('grün').toString('latin1'),
    };
    const put = await send('PUT', '/a/key', { body: 'hello', headers });
    const etag = `"${createHash('md5').update('hello').digest('hex')}"`;
    expect([put.status, put.headers.get('etag'), put.text]).toEqual([200, etag, '']);
    for (const method of ['GET', 'HEAD']) {
      const got = await send(method, '/a/key');
      expect(Object.fromEntries(got.headers)).toMatchObject({
        ...headers,
        etag,
        'content-length': '5',
        'accept-ranges': 'bytes',
        'last-modified': expect.stringMatching(/GMT$/),
      });
      expect(got.text).toBe(method === 'GET' ? 'hello' : '');
    }
    expect(rig.records[0]).toEqual({
      call: expect.objectContaining({ account: RIG_ACCOUNT }),
      eventSource: 's3.amazonaws.com',
      eventName: 'PutObject',
      isReadOnly: false,
      category: 'Data',
      requestParameters: { bucketName: bucket, Host: new URL(rig.url).host, key: 'a/key' },
      responseElements: null,
      additionalEventData: {
        SignatureVersion: 'SigV4',
        AuthenticationMethod: 'AuthHeader',
        bytesTransferredIn: 5,
        bytesTransferredOut: 0,
        'x-amz-id-2': put.headers.get('x-amz-id-2'),
      },
      resources: [
        { type: 'AWS::S3::Object', name: `arn:aws:s3:::${bucket}/a/key` },
        { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${bucket}`, account: RIG_ACCOUNT },
      ],
    });
    expect(rig.records[0]!.call.requestId).toBe(put.headers.get('x-amz-request-id'));
    expect(rig.records[1]).toMatchObject({ eventName: 'GetObject', isReadOnly: true, additionalEventData: { bytesTransferredOut: 5 } });
  });

  test('a body that takes its time never ends in a bucket that became another account’s meanwhile', async () => {
    const { stage } = rig.objects;
    rig.objects.stage = async (body) => {
      const staged = await stage(body);
      await send('DELETE', '');
      await send('PUT', '', { key: OTHER_KEY });
      return staged;
    };
    const { status } = await send('PUT', '/planted', { body: 'x' });
    rig.objects.stage = stage;
    expect([status, (await send('HEAD', '/planted', { key: OTHER_KEY })).status]).toEqual([403, 404]);
  });

  test('F37: a put whose record cannot be made durable leaves no object', async () => {
    rig.isRecordingBroken = true;
    const { status, text } = await send('PUT', '/key', { body: 'x' });
    expect([status, codeOf(text)]).toEqual([503, 'ServiceUnavailable']);
    expect((await send('GET', '/key')).status).toBe(404);
  });

  test('a missing key, version or object of a bucket that is not there has its own code', async () => {
    const missing = await send('GET', '/nope');
    expect([missing.status, codeOf(missing.text), all(missing.text, 'Key'), all(missing.text, 'Resource')]).toEqual([
      404,
      'NoSuchKey',
      ['nope'],
      [`/${bucket}/nope`],
    ]);
    expect(all(missing.text, 'RequestId')).toEqual([missing.headers.get('x-amz-request-id')]);
    await send('PUT', '/key', { body: 'x' });
    expect(codeOf((await send('GET', '/key?versionId=abc')).text)).toBe('NoSuchVersion');
    expect(codeOf((await rig.send('GET', '/not-a-bucket/key')).text)).toBe('NoSuchBucket');
    const head = await send('HEAD', '/nope');
    expect([head.status, head.text]).toEqual([404, '']);
    expect((await send('DELETE', '/nope')).status).toBe(204);
  });

  test.each([
    '../../etc/passwd',
    '..',
    'a//b',
    '/leading',
    'trailing/',
    './x',
    'ünï/☃',
    'a b+c&d=e%2f?#\'"<>',
    '\u0001\u001f',
    'a\u007fb',
    '%00'.slice(1),
    'x'.repeat(1_024),
  ])('A60, A61: the key `%s` is kept as it is', async (key) => {
    const path = `/${[...Buffer.from(key)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`;
    expect((await send('PUT', path, { body: key })).status).toBe(200);
    expect((await send('GET', path)).text).toBe(key);
    const listed = all((await send('GET', '?list-type=2&encoding-type=url')).text, 'Key');
    expect(listed.map((text) => decodeURIComponent(text))).toEqual([key]);
  });

  test('a key above 1,024 bytes, or one that is no UTF-8, is refused', async () => {
    expect(codeOf((await send('PUT', `/${'x'.repeat(1_025)}`, { body: 'x' })).text)).toBe('KeyTooLongError');
    expect(codeOf((await send('PUT', '/%ff', { body: 'x' })).text)).toBe('InvalidURI');
    expect((await send('PUT', '/a%00b', { body: 'x' })).status).toBe(400);
  });

  test.each([
    ['bytes=0-0', 206, 'h', 'bytes 0-0/5'],
    ['bytes=1-3', 206, 'ell', 'bytes 1-3/5'],
    ['bytes=3-', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=3-99', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-2', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-99', 206, 'hello', 'bytes 0-4/5'],
    ['bytes=0-1,3-4', 200, 'hello', null],
    ['bytes=3-1', 200, 'hello', null],
    ['lines=1-2', 200, 'hello', null],
  ])('the range %s answers %d', async (range, status, text, contentRange) => {
    await send('PUT', '/key', { body: 'hello' });
    const got = await send('GET', '/key', { headers: { range } });
    expect([got.status, got.text, got.headers.get('content-range')]).toEqual([status, text, contentRange]);
    const head = await send('HEAD', '/key', { headers: { range } });
    expect([head.status, head.headers.get('content-length')]).toEqual([status, `${text.length}`]);
  });

  test('a range after the end answers 416', async () => {
    await send('PUT', '/key', { body: 'hello' });
    await send('PUT', '/empty');
    const got = await send('GET', '/key', { headers: { range: 'bytes=5-9' } });
    expect([got.status, codeOf(got.text), got.headers.get('content-range')]).toEqual([416, 'InvalidRange', 'bytes */5']);
    expect((await send('GET', '/empty', { headers: { range: 'bytes=0-0' } })).status).toBe(416);
  });

  test('conditions of reading', async () => {
    const etag = (await send('PUT', '/key', { body: 'hello' })).headers.get('etag')!;
    const ask = async (headers: Record<string, string>) => (await send('GET', '/key', { headers })).status;
    const [past, future] = [new Date(Date.now() - 3_600_000).toUTCString(), new Date(Date.now() + 3_600_000).toUTCString()];
    expect([
      await ask({ 'if-match': etag }),
      await ask({ 'if-match': '"x"' }),
      await ask({ 'if-none-match': etag }),
      await ask({ 'if-none-match': '"x"' }),
    ]).toEqual([200, 412, 304, 200]);
    expect([
      await ask({ 'if-modified-since': past }),
      await ask({ 'if-modified-since': future }),
      await ask({ 'if-unmodified-since': past }),
      await ask({ 'if-unmodified-since': future }),
    ]).toEqual([200, 304, 412, 200]);
    expect(await ask({ 'if-match': etag, 'if-unmodified-since': past })).toBe(200);
    expect(await ask({ 'if-none-match': `W/${etag}` })).toBe(304);
    const range = 'bytes=1-2';
    expect([
      await ask({ range, 'if-range': etag }),
      await ask({ range, 'if-range': '"x"' }),
      await ask({ range, 'if-range': past }),
    ]).toEqual([206, 200, 200]);
  });

  test('a deletion with a condition deletes nothing, for conditions are not checked here', async () => {
    await send('PUT', '/key', { body: 'stays' });
    for (const name of ['if-match', 'x-amz-if-match-size', 'x-amz-if-match-last-modified-time'])
      expect((await send('DELETE', '/key', { headers: { [name]: '1' } })).status).toBe(501);
    for (const condition of ['<ETag>x</ETag>', '<Size>1</Size>', '<LastModifiedTime>2020-01-01T00:00:00Z</LastModifiedTime>']) {
      const body = `<Delete><Object><Key>key</Key>${condition}</Object></Delete>`;
      expect((await send('POST', '?delete', { body })).status).toBe(501);
    }
    expect(codeOf((await send('DELETE', '/key?versionId=')).text)).toBe('InvalidArgument');
    expect((await send('GET', '/key')).text).toBe('stays');
  });

  test('a GET may ask for other headers, but for none that a header cannot hold', async () => {
    await send('PUT', '/key', { body: 'hello' });
    const got = await send('GET', '/key?response-content-type=text%2Fcsv&response-content-disposition=attachment%3B%20filename%3D%C3%BC');
    expect(got.headers.get('content-type')).toBe('text/csv');
    expect(Buffer.from(got.headers.get('content-disposition')!, 'latin1').toString()).toBe('attachment; filename=ü');
    // Refused before the body is opened: nobody would close it.
    const { get } = rig.objects;
    rig.objects.get = () => Promise.reject(new Error('the body was opened'));
    const refused = await send('GET', '/key?response-content-type=a%0D%0AX-Evil%3A%201');
    rig.objects.get = get;
    expect(codeOf(refused.text)).toBe('InvalidArgument');
  });

  test('If-None-Match: * stores on a free key only', async () => {
    const headers = { 'if-none-match': '*' };
    expect((await send('PUT', '/key', { body: 'one', headers })).status).toBe(200);
    for (const body of ['one', 'two']) {
      const again = await send('PUT', '/key', { body, headers });
      expect([again.status, codeOf(again.text)]).toEqual([412, 'PreconditionFailed']);
    }
    expect((await send('GET', '/key')).text).toBe('one');
    const race = await Promise.all(['a', 'b', 'c', 'd'].map((body) => send('PUT', '/race', { body, headers })));
    expect(race.filter(({ status }) => status === 200).length).toBe(1);
    expect((await send('PUT', '/key', { body: 'x', headers: { 'if-match': '"x"' } })).status).toBe(501);
  });

  test('of two who put the same bytes with If-None-Match: * at once, one is told that it came second', async () => {
    const { stage } = rig.objects;
    let staged = 0;
    let go: () => void;
    const bothStaged = new Promise<void>((resolve) => {
      go = resolve;
    });
    rig.objects.stage = async (body) => {
      const one = await stage(body);
      if (++staged === 2) go();
      await bothStaged;
      return one;
    };
    const puts = [1, 2].map(() => send('PUT', '/lock', { body: 'mine', headers: { 'if-none-match': '*' } }));
    const answers = await Promise.all(puts);
    rig.objects.stage = stage;
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  test.each([
    ['x-amz-server-side-encryption', 'aws:kms', 501],
    ['x-amz-tagging', 'a=b', 501],
    ['x-amz-storage-class', 'GLACIER', 501],
    ['x-amz-storage-class', 'STANDARD', 200],
    ['x-amz-meta-big', 'x'.repeat(2_049), 400],
  ])('what cannot be kept is refused: %s', async (name, value, status) => {
    expect((await send('PUT', '/key', { body: 'x', headers: { [name]: value } })).status).toBe(status);
  });

  test('versions: each put is kept, a delete is a marker, a version can be deleted for good', async () => {
    await send('PUT', '/key', { body: 'null version' });
    expect(
      (await send('PUT', '?versioning', { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' })).status,
    ).toBe(200);
    expect((await send('GET', '?versioning')).text).toContain('<Status>Enabled</Status>');
    const one = (await send('PUT', '/key', { body: 'one' })).headers.get('x-amz-version-id')!;
    const deleted = await send('DELETE', '/key');
    expect([deleted.status, deleted.headers.get('x-amz-delete-marker')]).toEqual([204, 'true']);
    const marker = deleted.headers.get('x-amz-version-id')!;
    expect((await send('GET', '/key')).status).toBe(404);
    expect((await send('GET', `/key?versionId=${one}`)).text).toBe('one');
    expect((await send('GET', '/key?versionId=null')).text).toBe('null version');
    expect(codeOf((await send('GET', `/key?versionId=${marker}`)).text)).toBe('MethodNotAllowed');
    const { text } = await send('GET', '?versions');
    expect([all(text, 'VersionId').sort(), all(text, 'IsLatest')]).toEqual([[marker, one, 'null'].sort(), ['false', 'false', 'true']]);
    const unmarked = await send('DELETE', `/key?versionId=${marker}`);
    expect([unmarked.headers.get('x-amz-delete-marker'), unmarked.headers.get('x-amz-version-id')]).toEqual(['true', marker]);
    expect((await send('GET', '/key')).text).toBe('one');
    expect(codeOf((await send('DELETE', '')).text)).toBe('BucketNotEmpty');
    const first = await send('GET', '?versions&max-keys=1');
    const next = `key-marker=${all(first.text, 'NextKeyMarker')[0]}&version-id-marker=${all(first.text, 'NextVersionIdMarker')[0]}`;
    expect(all((await send('GET', `?versions&${next}`)).text, 'VersionId')).toEqual(['null']);
  });

  test('many are deleted by one call, each recorded, and none when that fails', async () => {
    for (const key of ['a', 'b', 'c&d']) await send('PUT', `/${encodeURIComponent(key)}`, { body: key });
    rig.records.length = 0;
    const body =
      '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>c&amp;d</Key></Object><Object><Key>nope</Key></Object></Delete>';
    rig.isRecordingBroken = true;
    expect((await send('POST', '?delete', { body })).status).toBe(503);
    rig.isRecordingBroken = false;
    expect(all((await send('GET', '')).text, 'Key')).toEqual(['a', 'b', 'c&amp;d']);
    rig.records.length = 0;
    const { status, text } = await send('POST', '?delete', { body });
    expect([status, all(text, 'Key')]).toEqual([200, ['a', 'c&amp;d', 'nope']]);
    expect(rig.names()).toEqual(['DeleteObjects', 'DeleteObject', 'DeleteObject', 'DeleteObject']);
    expect(rig.records[2]?.requestParameters).toMatchObject({ bucketName: bucket, key: 'c&d' });
    expect(all((await send('GET', '')).text, 'Key')).toEqual(['b']);
    expect(
      (await send('POST', '?delete', { body: '<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>' })).text,
    ).not.toContain('<Deleted>');
    for (const bad of [
      '',
      '<Delete/>',
      '<Other/>',
      '<Delete><Object/></Delete>',
      `<Delete>${'<Object><Key>k</Key></Object>'.repeat(1_001)}</Delete>`,
    ]) {
      expect(codeOf((await send('POST', '?delete', { body: bad })).text)).toBe('MalformedXML');
    }
  });

  test('a copy keeps or replaces metadata, and checks its source', async () => {
    await send('PUT', '/from%20here', { body: 'hello', headers: { 'x-amz-meta-a': '1', 'x-amz-checksum-crc32': crcOf('hello') } });
    const copy = (to: string, headers: Record<string, string>) =>
      send('PUT', to, { headers: { 'x-amz-copy-source': `/${bucket}/from%20here`, ...headers } });
    const done = await copy('/to', {});
    expect([done.status, all(done.text, 'ETag'), all(done.text, 'ChecksumCRC32')]).toEqual([
      200,
      [`&quot;${createHash('md5').update('hello').digest('hex')}&quot;`],
      [crcOf('hello')],
    ]);
    expect((await send('HEAD', '/to')).headers.get('x-amz-meta-a')).toBe('1');
    await copy('/to', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' });
    const replaced = await send('HEAD', '/to');
    expect([replaced.headers.get('x-amz-meta-a'), replaced.headers.get('x-amz-meta-b')]).toEqual([null, '2']);
    expect(codeOf((await copy('/from%20here', {})).text)).toBe('InvalidRequest');
    expect((await copy('/from%20here', { 'x-amz-metadata-directive': 'REPLACE' })).status).toBe(200);
    expect(codeOf((await copy('/to', { 'x-amz-copy-source-if-match': '"x"' })).text)).toBe('PreconditionFailed');
    expect(codeOf((await copy('/to', { 'x-amz-copy-source': `${bucket}/nope` })).text)).toBe('NoSuchKey');
    expect(codeOf((await copy('/to', { 'x-amz-copy-source': 'nothing' })).text)).toBe('InvalidArgument');
    expect(codeOf((await copy('/to', { 'x-amz-source-expected-bucket-owner': '000000000009' })).text)).toBe('AccessDenied');
    await rig.send('PUT', `/foreign-${count}`, { key: OTHER_KEY });
    await rig.send('PUT', `/foreign-${count}/key`, { key: OTHER_KEY, body: 'x' });
    expect(codeOf((await copy('/to', { 'x-amz-copy-source': `foreign-${count}/key` })).text)).toBe('AccessDenied');
    expect(rig.records.find(({ eventName }) => eventName === 'CopyObject')).toMatchObject({
      requestParameters: { key: 'to', 'x-amz-copy-source': `/${bucket}/from%20here` },
    });
  });

  test('a client cannot put its own words under a name of the record', async () => {
    await send('GET', '/key?bucketName=other&key=other&Host=other&__proto__=x');
    expect(rig.records[0]?.requestParameters).toEqual(
      JSON.parse(`{"bucketName":"${bucket}","Host":"${new URL(rig.url).host}","key":"key","__proto__":"x"}`),
    );
  });
});

describe('checksums', () => {
  test.each([
    ['crc32', crcOf('hello')],
    ['crc32c', 'mnG7TA=='],
    ['crc64nvme', undefined],
    ['sha1', base64(createHash('sha1').update('hello').digest())],
    ['sha256', base64(createHash('sha256').update('hello').digest())],
    ['sha512', base64(createHash('sha512').update('hello').digest())],
    ['md5', base64(createHash('md5').update('hello').digest())],
  ])('%s in a header is checked, kept and given back when asked for', async (name, known) => {
    const header = `x-amz-checksum-${name}`;
    const value = known ?? (await computeCrc64('hello'));
    const put = await send('PUT', '/key', { body: 'hello', headers: { [header]: value } });
    expect([put.status, put.headers.get(header)]).toEqual([200, value]);
    const got = await send('GET', '/key', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect([got.headers.get(header), got.headers.get('x-amz-checksum-type')]).toEqual([value, 'FULL_OBJECT']);
    expect((await send('GET', '/key')).headers.get(header)).toBeNull();
    const wrong = await send('PUT', '/wrong', { body: 'hullo', headers: { [header]: value } });
    expect([wrong.status, codeOf(wrong.text)]).toEqual([400, 'BadDigest']);
    expect((await send('HEAD', '/wrong')).status).toBe(404);
    expect(codeOf((await send('PUT', '/wrong', { body: 'hello', headers: { [header]: 'AAAA' } })).text)).toBe('InvalidRequest');
  });

  test('a checksum that is not computed here is refused, never taken unchecked', async () => {
    const put = await send('PUT', '/key', { body: 'hello', headers: { 'x-amz-checksum-xxhash64': 'JsSM5NgfIt4=' } });
    expect([put.status, codeOf(put.text)]).toEqual([400, 'InvalidRequest']);
  });

  test('Content-MD5 is checked', async () => {
    const md5 = base64(createHash('md5').update('hello').digest());
    expect((await send('PUT', '/key', { body: 'hello', headers: { 'content-md5': md5 } })).status).toBe(200);
    expect(codeOf((await send('PUT', '/key', { body: 'hullo', headers: { 'content-md5': md5 } })).text)).toBe('BadDigest');
    expect(codeOf((await send('PUT', '/key', { body: 'hello', headers: { 'content-md5': 'x' } })).text)).toBe('InvalidDigest');
    expect(
      codeOf(
        (await send('POST', '?delete', { body: '<Delete><Object><Key>a</Key></Object></Delete>', headers: { 'content-md5': md5 } })).text,
      ),
    ).toBe('BadDigest');
  });

  /** Sends a chunked body. */
  async function chunked(
    payload: string,
    body: (chain: ReturnType<typeof signRequest>['chain']) => Buffer,
    headers: Record<string, string>,
  ): Promise<{ status: number; text: string }> {
    const url = `${rig.url}/${bucket}/chunked`;
    const signed = signRequest(
      { method: 'PUT', url, headers: { 'content-encoding': 'aws-chunked', ...headers } },
      { credentials: RIG_KEY, region: RIG_REGION, service: 's3', nowMs: Date.now(), payload },
    );
    const { host: _host, ...sent } = signed.headers;
    const response = await fetch(url, { method: 'PUT', headers: sent, body: body(signed.chain) as Buffer<ArrayBuffer> });
    return { status: response.status, text: await response.text() };
  }

  test('signed chunks are joined, and one that was changed leaves no object', async () => {
    const headers = { 'x-amz-decoded-content-length': '10' };
    const wire = (chain: ReturnType<typeof signRequest>['chain']) =>
      Buffer.concat(['hello', 'world', ''].map((chunk) => encodeSignedChunk(chain, Buffer.from(chunk))));
    const forged = await chunked(
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      (chain) => Buffer.from(wire(chain).toString().replace('world', 'World')),
      headers,
    );
    expect([forged.status, codeOf(forged.text)]).toEqual([403, 'SignatureDoesNotMatch']);
    expect((await send('HEAD', '/chunked')).status).toBe(404);
    expect((await chunked('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', wire, headers)).status).toBe(200);
    const got = await send('GET', '/chunked');
    expect([got.text, got.headers.get('content-encoding')]).toEqual(['helloworld', null]);
  });

  test('a trailing checksum is checked, in unsigned chunks as well', async () => {
    const wire = (crc: string) => () => Buffer.from(`5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${crc}\r\n\r\n`);
    const headers = { 'x-amz-decoded-content-length': '5', 'x-amz-trailer': 'x-amz-checksum-crc32' };
    const wrong = await chunked('STREAMING-UNSIGNED-PAYLOAD-TRAILER', wire(crcOf('hullo')), headers);
    expect([wrong.status, codeOf(wrong.text)]).toEqual([400, 'BadDigest']);
    expect((await chunked('STREAMING-UNSIGNED-PAYLOAD-TRAILER', wire(crcOf('hello')), headers)).status).toBe(200);
    expect((await send('GET', '/chunked')).text).toBe('hello');
    expect(
      (await chunked('STREAMING-UNSIGNED-PAYLOAD-TRAILER', wire(crcOf('hello')), { ...headers, 'x-amz-decoded-content-length': '6' }))
        .status,
    ).toBe(400);
    const { 'x-amz-decoded-content-length': _length, ...without } = headers;
    expect((await chunked('STREAMING-UNSIGNED-PAYLOAD-TRAILER', wire(crcOf('hello')), without)).status).toBe(411);
  });
});

describe('listings', () => {
  const keys = ['a', 'a/', 'a/1', 'a/2', 'b/1', 'b/2/x', 'c', 'ü'];
  beforeEach(async () => {
    for (const key of keys) await send('PUT', `/${encodeURIComponent(key)}`, { body: key });
  });

  /** Every page of a listing, one entry a page and then three. */
  async function pages(query: string, next: (text: string) => string | undefined): Promise<string[]> {
    const found: string[] = [];
    for (const size of [1, 3]) {
      const here: string[] = [];
      let more: string | undefined = '';
      for (let guard = 0; more !== undefined && guard < 50; guard++) {
        const { text } = await send('GET', `?${query}&max-keys=${size}${more}`);
        const entries = [...all(text, 'Key'), ...[...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)/g)].map((match) => match[1]!)];
        expect(entries.length).toBeLessThanOrEqual(size);
        here.push(...entries);
        more = next(text);
      }
      if (found.length > 0) expect(here.sort()).toEqual([...found].sort());
      else found.push(...here);
    }
    return found;
  }

  const byMarker = (text: string): string | undefined => {
    if (!text.includes('<IsTruncated>true')) return undefined;
    return `&marker=${encodeURIComponent(all(text, 'NextMarker')[0] ?? all(text, 'Key').at(-1)!)}`;
  };
  const byToken = (text: string): string | undefined =>
    text.includes('<IsTruncated>true') ? `&continuation-token=${all(text, 'NextContinuationToken')[0]}` : undefined;

  test('both versions page through all keys in the order of their bytes', async () => {
    expect(await pages('', byMarker)).toEqual(keys);
    expect(await pages('list-type=2', byToken)).toEqual(keys);
  });

  test('prefix and delimiter fold keys, over pages', async () => {
    expect((await pages('delimiter=%2F', byMarker)).sort()).toEqual(['a', 'a/', 'b/', 'c', 'ü'].sort());
    expect((await pages('list-type=2&prefix=b%2F&delimiter=%2F', byToken)).sort()).toEqual(['b/1', 'b/2/']);
    expect((await pages('list-type=2&prefix=a%2F&delimiter=%2F', byToken)).sort()).toEqual(['a/', 'a/1', 'a/2']);
  });

  test('marker and start-after begin after a key, whether it is there or not', async () => {
    expect(all((await send('GET', '?marker=b')).text, 'Key')).toEqual(['b/1', 'b/2/x', 'c', 'ü']);
    expect(all((await send('GET', '?list-type=2&start-after=b%2F1')).text, 'Key')).toEqual(['b/2/x', 'c', 'ü']);
  });

  test('keys are encoded when asked for', async () => {
    expect(all((await send('GET', '?prefix=%C3%BC&encoding-type=url')).text, 'Key')).toEqual(['%C3%BC']);
    expect(codeOf((await send('GET', '?encoding-type=x')).text)).toBe('InvalidArgument');
  });

  test('limits: none, too many, no number; a token that was made up', async () => {
    const none = (await send('GET', '?max-keys=0')).text;
    expect([all(none, 'Key'), all(none, 'IsTruncated')]).toEqual([[], ['false']]);
    for (const many of [5_000, 2_147_483_647]) expect(all((await send('GET', `?max-keys=${many}`)).text, 'MaxKeys')).toEqual(['1000']);
    for (const bad of [
      'max-keys=-1',
      'max-keys=x',
      'max-keys=2147483648',
      'list-type=2&continuation-token=!',
      'list-type=2&continuation-token=',
      'prefix=a&prefix=b',
    ]) {
      expect([bad, codeOf((await send('GET', `?${bad}`)).text)]).toEqual([bad, 'InvalidArgument']);
    }
  });

  test('the owner is shown where S3 shows it', async () => {
    expect(all((await send('GET', '')).text, 'ID').length).toBe(keys.length);
    expect(all((await send('GET', '?list-type=2')).text, 'ID').length).toBe(0);
    expect(all((await send('GET', '?list-type=2&fetch-owner=true')).text, 'ID').length).toBe(keys.length);
  });

  test('both are recorded as ListObjects, a data event', async () => {
    rig.records.length = 0;
    await send('GET', '?list-type=2&prefix=a');
    expect(rig.records).toMatchObject([
      {
        eventName: 'ListObjects',
        category: 'Data',
        isReadOnly: true,
        requestParameters: { bucketName: bucket, 'list-type': '2', prefix: 'a' },
      },
    ]);
  });
});

describe('uploads in parts', () => {
  const MIB = 1024 * 1024;
  const begin = async (headers: Record<string, string> = {}): Promise<string> =>
    all((await send('POST', '/big?uploads', { headers })).text, 'UploadId')[0]!;
  const part = (id: string, number: number, body: Buffer | string, headers: Record<string, string> = {}) =>
    send('PUT', `/big?partNumber=${number}&uploadId=${id}`, { body, headers });
  const complete = (id: string, parts: readonly (readonly [number, string, string?])[], headers: Record<string, string> = {}) =>
    send('POST', `/big?uploadId=${id}`, {
      body: `<CompleteMultipartUpload>${parts.map(([number, etag, more]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more ?? ''}</Part>`).join('')}</CompleteMultipartUpload>`,
      headers,
    });

  test('parts are joined in order, with the ETag and checksum of parts', async () => {
    const id = await begin({ 'content-type': 'text/y', 'x-amz-meta-a': '1', 'x-amz-checksum-algorithm': 'CRC32' });
    const [one, two] = [Buffer.alloc(5 * MIB, 'a'), Buffer.from('tail')];
    const crc = (bytes: Buffer): string => crcOf(bytes.toString('latin1'));
    const second = await part(id, 7, two, { 'x-amz-checksum-crc32': crc(two) });
    const first = await part(id, 2, one, { 'x-amz-checksum-crc32': crc(one) });
    const listed = (await send('GET', `/big?uploadId=${id}`)).text;
    expect([all(listed, 'PartNumber'), all(listed, 'Size'), all(listed, 'ChecksumCRC32')]).toEqual([
      ['2', '7'],
      [`${one.length}`, '4'],
      [crc(one), crc(two)],
    ]);
    expect(all((await send('GET', '?uploads')).text, 'UploadId')).toEqual([id]);
    const done = await complete(id, [
      [2, first.headers.get('etag')!, `<ChecksumCRC32>${crc(one)}</ChecksumCRC32>`],
      [7, second.headers.get('etag')!],
    ]);
    const md5s = Buffer.concat([one, two].map((bytes) => createHash('md5').update(bytes).digest()));
    const etag = `"${createHash('md5').update(md5s).digest('hex')}-2"`;
    expect([done.status, all(done.text, 'ETag')]).toEqual([200, [etag.replaceAll('"', '&quot;')]]);
    const got = await send('GET', '/big', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect([
      got.headers.get('etag'),
      got.headers.get('content-type'),
      got.headers.get('x-amz-meta-a'),
      got.text.length,
      got.text.slice(-5),
    ]).toEqual([etag, 'text/y', '1', 5 * MIB + 4, 'atail']);
    expect([got.headers.get('x-amz-checksum-type'), got.headers.get('x-amz-checksum-crc32')]).toEqual([
      'COMPOSITE',
      expect.stringMatching(/-2$/),
    ]);
    expect(codeOf((await send('GET', `/big?uploadId=${id}`)).text)).toBe('NoSuchUpload');
    expect(rig.names()).toEqual(
      expect.arrayContaining(['CreateMultipartUpload', 'UploadPart', 'ListParts', 'ListMultipartUploads', 'CompleteMultipartUpload']),
    );
  });

  test('a checksum over the whole object is joined from those of the parts', async () => {
    const id = await begin({ 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' });
    const [one, two] = ['a'.repeat(5 * MIB), 'tail'];
    const first = await part(id, 1, one, { 'x-amz-checksum-crc32': crcOf(one) });
    const second = await part(id, 2, two, { 'x-amz-checksum-crc32': crcOf(two) });
    const parts = [
      [1, first.headers.get('etag')!],
      [2, second.headers.get('etag')!],
    ] as const;
    expect(codeOf((await complete(id, parts, { 'x-amz-checksum-crc32': crcOf('other') })).text)).toBe('BadDigest');
    expect(all((await complete(id, parts, { 'x-amz-checksum-crc32': crcOf(one + two) })).text, 'ChecksumCRC32')).toEqual([
      crcOf(one + two),
    ]);
  });

  test('a completion that does not fit is refused, and the upload stays', async () => {
    const id = await begin();
    const small = (await part(id, 1, 'small')).headers.get('etag')!;
    const last = (await part(id, 2, 'last')).headers.get('etag')!;
    const codes = async (...parts: [number, string][]) => codeOf((await complete(id, parts)).text);
    expect(await codes([1, small], [2, last])).toBe('EntityTooSmall');
    expect(await codes([2, last], [1, small])).toBe('InvalidPartOrder');
    expect(await codes([1, last])).toBe('InvalidPart');
    expect(await codes([3, last])).toBe('InvalidPart');
    expect(await codes()).toBe('MalformedXML');
    rig.isRecordingBroken = true;
    expect((await complete(id, [[2, last]])).status).toBe(503);
    rig.isRecordingBroken = false;
    expect((await send('HEAD', '/big')).status).toBe(404);
    expect((await complete(id, [[2, last]])).status).toBe(200);
    expect((await send('GET', '/big')).text).toBe('last');
  });

  test('while an upload is completed it takes no part and no second completion', async () => {
    let joining: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      joining = resolve;
    });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const join = rig.objects.join.bind(rig.objects);
    rig.objects.join = async (parts) => {
      joining();
      await held;
      return join(parts);
    };
    const id = await begin();
    const etag = (await part(id, 1, 'only')).headers.get('etag')!;
    const first = complete(id, [[1, etag]]);
    await begun;
    rig.objects.join = join;
    expect(codeOf((await complete(id, [[1, etag]])).text)).toBe('NoSuchUpload');
    expect(codeOf((await part(id, 1, 'other')).text)).toBe('NoSuchUpload');
    release();
    expect((await first).status).toBe(200);
    expect((await send('GET', '/big')).text).toBe('only');
  });

  test('two completions at once: one wins', async () => {
    const id = await begin();
    const etag = (await part(id, 1, 'only')).headers.get('etag')!;
    const done = await Promise.all([complete(id, [[1, etag]]), complete(id, [[1, etag]])]);
    expect(done.map(({ status }) => status).sort()).toEqual([200, 404]);
  });

  test('a part that comes again replaces the one before; an abort drops all', async () => {
    const id = await begin();
    await part(id, 1, 'old');
    await part(id, 1, 'new!');
    expect(all((await send('GET', `/big?uploadId=${id}`)).text, 'Size')).toEqual(['4']);
    expect((await send('DELETE', `/big?uploadId=${id}`)).status).toBe(204);
    expect(codeOf((await part(id, 2, 'x')).text)).toBe('NoSuchUpload');
    expect(codeOf((await send('DELETE', `/big?uploadId=${id}`)).text)).toBe('NoSuchUpload');
  });

  test.each(['0', '10001', 'x', '1.5', ''])('the part number `%s` is refused', async (number) => {
    const id = await begin();
    expect(codeOf((await send('PUT', `/big?partNumber=${number}&uploadId=${id}`, { body: 'x' })).text)).toBe('InvalidArgument');
  });

  test('an account that begins uploads without end is told to slow down, and keeps nobody else from theirs', async () => {
    const begin = async () => (await send('POST', '/key?uploads')).status;
    const answers = new Set<number>();
    for (let at = 0; at < 1_001 && !answers.has(503); at++) answers.add(await begin());
    expect([...answers]).toEqual([200, 503]);
    await rig.send('PUT', `/other-${count}`, { key: OTHER_KEY });
    expect((await rig.send('POST', `/other-${count}/key?uploads`, { key: OTHER_KEY })).status).toBe(200);
    await send('DELETE', '');
  });

  test('a part can be copied from a range of an object', async () => {
    await send('PUT', '/source', { body: 'hello world' });
    const id = await begin();
    const copy = (headers: Record<string, string>) =>
      send('PUT', `/big?partNumber=1&uploadId=${id}`, { headers: { 'x-amz-copy-source': `${bucket}/source`, ...headers } });
    const { text } = await copy({ 'x-amz-copy-source-range': 'bytes=6-10' });
    await complete(id, [[1, all(text, 'ETag')[0]!]]);
    expect((await send('GET', '/big')).text).toBe('world');
    expect((await copy({ 'x-amz-copy-source-range': 'bytes=6-' })).status).toBe(404);
  });
});

describe('too much at once', () => {
  test('documents beyond the memory for all of them get SlowDown', async () => {
    const small = await HttpRig.start({ limits: { bufferedBytes: 100 } });
    await small.send('PUT', '/bucket-one');
    const { status, text, headers } = await small.send('POST', '/bucket-one?delete', {
      body: `<Delete><Object><Key>${'k'.repeat(200)}</Key></Object></Delete>`,
    });
    expect([status, codeOf(text), headers.get('retry-after')]).toEqual([503, 'SlowDown', '1']);
    await small.close();
  });
});

describe('what is no S3 call', () => {
  test.each([
    ['POST', '', 'NotImplemented'],
    ['PATCH', '/key', 'MethodNotAllowed'],
    ['OPTIONS', '/key', 'MethodNotAllowed'],
    ['POST', '/key', 'MethodNotAllowed'],
    ['GET', '/key?attributes', 'NotImplemented'],
    ['POST', '/key?restore', 'NotImplemented'],
  ])('%s on %s answers %s', async (method, path, code) => {
    expect(codeOf((await send(method, path)).text)).toBe(code);
  });

  test('a body that nobody asked for must still be the one that was signed', async () => {
    expect((await send('DELETE', '/key', { body: 'whatever' })).status).toBe(204);
    expect(codeOf((await send('DELETE', '/key', { body: 'whatever', payload: createHash('sha256').update('x').digest('hex') })).text)).toBe(
      'XAmzContentSHA256Mismatch',
    );
  });

  test('a body that was taken off on the way is missed, by calls that can do without one as well', async () => {
    const payload = createHash('sha256').update('<CreateBucketConfiguration/>').digest('hex');
    const calls: [string, string][] = [
      ['PUT', `/stripped-${count}`],
      ['POST', `/${bucket}/key?uploads`],
      ['DELETE', `/${bucket}/key`],
      ['GET', `/${bucket}`],
    ];
    for (const [method, path] of calls) {
      const { text } = await rig.send(method, path, { payload });
      expect([method, path, codeOf(text)]).toEqual([method, path, 'XAmzContentSHA256Mismatch']);
    }
  });
});

async function computeCrc64(text: string): Promise<string> {
  const { Checksummer } = await import('../../src/http/s3/checksums.ts');
  const summer = new Checksummer('CRC64NVME');
  summer.update(Buffer.from(text));
  return summer.digest();
}
