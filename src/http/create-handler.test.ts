/**
 * Routing, the order of a call, and answers of the JSON and query protocols, over a real connection.
 */
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpRig, OTHER_KEY, RIG_ACCOUNT, RIG_KEY, RIG_REGION, type SendOptions } from '../../test/support/http-rig.ts';
import { type RigState, rigServices } from '../../test/support/rig-services.ts';
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { StreamRequest } from './ports.ts';
import { encodeSignedChunk, signRequest } from './sign-request.ts';

let rig: HttpRig;
let state: RigState;
let handleStream: (request: StreamRequest) => Promise<void>;
/** Actions that are refused. */
let forbidden: Set<string>;
let asked: AccessRequest[];

beforeEach(async () => {
  state = { trails: [] };
  forbidden = new Set();
  asked = [];
  handleStream = async ({ body, answer, query }) => {
    answer.start(200, { 'content-type': 'text/plain' });
    for await (const piece of body) await answer.write(piece);
    await answer.write(` ${query.get('source') ?? ''}`);
  };
  rig = await HttpRig.start({
    authorize: async (_call, requests) => {
      asked.push(...requests);
      const refused = requests.find(({ action }) => forbidden.has(action));
      if (refused !== undefined)
        throw new ApiError('AccessDeniedException', `not authorized to perform: ${refused.action}`, { status: 403 });
    },
    services: rigServices(state),
    streams: [['POST /v1/events', { eventName: 'SubmitEvents', bodyBytesMax: 100_000, handle: (request) => handleStream(request) }]],
    pages: new Map([['/healthz', async () => ({ status: 200, contentType: 'text/plain', body: 'ok' })]]),
    limits: { controlBodyBytes: 10_000, bufferedBytes: 200_000 },
  });
});
afterEach(() => rig.close());

const json = (operation: string, body: string | Uint8Array, more: SendOptions & { target?: string } = {}) => {
  const { target = `CloudTrail_20131101.${operation}`, headers, ...rest } = more;
  return rig.send('POST', '/', {
    service: 'cloudtrail',
    body,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target, ...headers },
    ...rest,
  });
};
const typeOf = (text: string): string => (JSON.parse(text) as { __type: string }).__type;

describe('the order of a call', () => {
  test('a write is recorded with identity, input and output, and takes effect', async () => {
    const { status, text, headers } = await json('CreateTrail', '{"Name":"trail-one","S3BucketName":"bucket-one","Unknown":1}');
    expect([status, text, headers.get('content-type')]).toEqual([
      200,
      '{"Name":"trail-one","S3BucketName":"bucket-one"}',
      'application/x-amz-json-1.1',
    ]);
    expect(rig.records).toMatchObject([
      {
        call: { account: RIG_ACCOUNT, region: RIG_REGION, sourceIpAddress: '127.0.0.1', requestId: headers.get('x-amzn-requestid') },
        eventSource: 'cloudtrail.amazonaws.com',
        eventName: 'CreateTrail',
        apiVersion: '2013-11-01',
        isReadOnly: false,
        category: 'Management',
        requestParameters: { name: 'trail-one', s3BucketName: 'bucket-one' },
        responseElements: { name: 'trail-one', s3BucketName: 'bucket-one' },
      },
    ]);
    expect(state.trails).toEqual(['trail-one']);
  });

  test('F37: a write whose record cannot be made durable is refused and changes nothing', async () => {
    rig.isRecordingBroken = true;
    const { status, text } = await json('CreateTrail', '{"Name":"trail-one","S3BucketName":"b"}');
    expect([status, typeOf(text), state.trails]).toEqual([503, 'ServiceUnavailable', []]);
    expect(rig.problems).toMatchObject([{ kind: 'internal' }]);
  });

  test('a read whose record cannot be made durable is answered and reported', async () => {
    rig.isRecordingBroken = true;
    expect((await json('ListTrails', '{}')).status).toBe(200);
    expect(rig.problems).toMatchObject([{ kind: 'read-not-recorded', eventName: 'ListTrails' }]);
  });

  test('a refused call is recorded with its error and its input', async () => {
    await json('CreateTrail', '{"Name":"trail-one","S3BucketName":"b"}');
    const { status, text } = await json('CreateTrail', '{"Name":"trail-one","S3BucketName":"b"}');
    expect([status, JSON.parse(text)]).toEqual([400, { __type: 'TrailAlreadyExistsException', Message: 'Trail trail-one already exists' }]);
    expect(rig.records[1]).toMatchObject({
      requestParameters: { name: 'trail-one' },
      responseElements: null,
      error: { code: 'TrailAlreadyExistsException', message: 'Trail trail-one already exists' },
    });
  });

  test('a change that another one forestalled is recorded twice: what was decided, and that it failed', async () => {
    const { status } = await json('CreateTrail', '{"Name":"lost-race","S3BucketName":"b"}');
    expect([status, rig.names()]).toEqual([409, ['CreateTrail', 'CreateTrail:ConflictException']]);
    expect(rig.records[0]!.call.requestId).toBe(rig.records[1]!.call.requestId);
  });

  test('a bug leaves as an internal error without a word of it (A85)', async () => {
    const { status, text } = await json('GetTrail', '{"Name":"trail-one"}');
    expect([status, typeOf(text), text.includes('canary')]).toEqual([500, 'InternalFailure', false]);
    expect(JSON.stringify(rig.records)).not.toContain('canary');
    expect(rig.problems).toMatchObject([{ kind: 'internal', error: { message: 'canary-secret-in-a-bug' } }]);
  });

  test('a secret in an output goes to the caller and not into the record (A85)', async () => {
    const { text } = await rig.send('POST', '/v1/CreateAccessKey', { service: 'snowtrail', body: '{"Password":"canary-input"}' });
    expect(text).toContain('canary-secret');
    expect(rig.records).toMatchObject([
      {
        eventSource: 'snowtrail.amazonaws.com',
        responseElements: { accessKey: { accessKeyId: 'AKIANEW', secretAccessKey: 'HIDDEN_DUE_TO_SECURITY_REASONS' } },
      },
    ]);
    expect(JSON.stringify(rig.records)).not.toContain('canary');
  });
});

describe('the choke point', () => {
  const create = () => json('CreateTrail', '{"Name":"trail-one","S3BucketName":"bucket-one"}');

  test('is asked for the action of each call', async () => {
    await create();
    await rig.send('POST', '/v1/CreateAccessKey', { service: 'snowtrail', body: '{}' });
    await rig.send('GET', '/?Action=GetCallerIdentity&Version=2011-06-15', { service: 'sts' });
    await rig.send('POST', '/v1/events', { service: 'snowtrail', body: 'x' });
    expect(asked.map(({ action, resource }) => [action, resource])).toEqual([
      ['cloudtrail:CreateTrail', '*'],
      ['snowtrail:CreateAccessKey', '*'],
      ['sts:GetCallerIdentity', '*'],
      ['snowtrail:SubmitEvents', '*'],
    ]);
  });

  test('a call that is not allowed is recorded with the reason, and changes nothing', async () => {
    forbidden.add('cloudtrail:CreateTrail');
    const { status, text } = await create();
    expect([status, typeOf(text)]).toEqual([403, 'AccessDeniedException']);
    expect(state.trails).toEqual([]);
    expect(rig.records).toMatchObject([
      {
        eventName: 'CreateTrail',
        requestParameters: { name: 'trail-one' },
        error: { code: 'AccessDeniedException', message: 'not authorized to perform: cloudtrail:CreateTrail' },
      },
    ]);
  });

  test('malformed input is refused before it, what is not built after it', async () => {
    forbidden.add('cloudtrail:StartQuery').add('cloudtrail:CreateTrail');
    const codes = [];
    for (const [name, body] of [
      ['CreateTrail', '{"Name":7}'],
      ['StartQuery', '{"QueryStatement":7}'],
      ['StartQuery', '{"QueryStatement":"select 1"}'],
      ['ListQueries', '{"EventDataStore":"EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE"}'],
    ] as const)
      codes.push(typeOf((await json(name, body)).text));
    expect(codes).toEqual(['SerializationException', 'SerializationException', 'AccessDeniedException', 'UnsupportedOperationException']);
  });

  test('a stream that is not allowed is refused before its first event, and recorded', async () => {
    forbidden.add('snowtrail:SubmitEvents');
    const { status } = await rig.send('POST', '/v1/events', { service: 'snowtrail', body: 'x' });
    expect([status, rig.names()]).toEqual([403, ['SubmitEvents:AccessDeniedException']]);
  });
});

describe('finding the operation', () => {
  test.each(['CloudTrail_20131101.ListTrails', 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListTrails'])(
    'the target %s is understood',
    async (target) => {
      expect((await json('', '{}', { target })).status).toBe(200);
    },
  );

  test('an operation of the model that is not built is refused by its name, and recorded', async () => {
    const { status, text } = await json('StartQuery', '{}');
    expect([status, typeOf(text)]).toEqual([400, 'UnsupportedOperationException']);
    expect(text).toContain('StartQuery');
    expect(rig.names()).toEqual(['StartQuery:UnsupportedOperationException']);
  });

  test('its input is checked first', async () => {
    expect(typeOf((await json('StartQuery', '{"QueryStatement":7}')).text)).toBe('SerializationException');
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'Nope', '', 'listtrails', 'x'.repeat(200)])(
    'A62: the target `%s` is unknown',
    async (name) => {
      const { status, text } = await json(name, '{}');
      expect([status, typeOf(text), rig.records]).toEqual([404, 'UnknownOperationException', []]);
    },
  );

  test('A62: another content type, method or path is no operation', async () => {
    const answers = [
      await json('ListTrails', '{}', { headers: { 'content-type': 'text/plain' } }),
      await json('ListTrails', '{}', { headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' } }),
      await rig.send('GET', '/', {
        service: 'cloudtrail',
        headers: { 'x-amz-target': 'A.ListTrails', 'content-type': 'application/x-amz-json-1.1' },
      }),
      await rig.send('POST', '/service/CloudTrail/operation/ListTrails', {
        service: 'cloudtrail',
        body: '{}',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'A.ListTrails' },
      }),
    ];
    expect(answers.map(({ status, text }) => [status, typeOf(text)])).toEqual(answers.map(() => [404, 'UnknownOperationException']));
  });

  test('the data plane answers in its own form of error', async () => {
    const { status, text, headers } = await rig.send('POST', '/PutAuditEvents?channelArn=x', {
      service: 'cloudtrail-data',
      body: '{"auditEvents":[]}',
    });
    expect([status, headers.get('x-amzn-errortype')]).toEqual([400, 'UnsupportedOperationException']);
    expect(JSON.parse(text)).toEqual({ message: expect.stringContaining('PutAuditEvents') });
  });
});

describe('a service that is not here', () => {
  const organizations = (more: SendOptions = {}) =>
    json('', '{}', { service: 'organizations', target: 'AWSOrganizationsV20161128.ListAccounts', ...more });

  test('is named to who signed rightly, in the form of its protocol', async () => {
    const { status, text } = await organizations();
    expect([status, typeOf(text)]).toEqual([400, 'UnsupportedOperationException']);
    expect(text).toMatch(/no service `organizations`; it has .*cloudtrail, .*s3/);
    const iam = await rig.send('POST', '/', {
      service: 'iam',
      body: 'Action=ListUsers&Version=2010-05-08',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([iam.status, iam.text]).toEqual([400, expect.stringContaining('<Code>InvalidAction</Code>')]);
  });

  test('a stranger learns nothing of it', async () => {
    const { text, status } = await organizations({ key: { ...RIG_KEY, secretAccessKey: 'wrong' } });
    expect([status, typeOf(text)]).toEqual([403, 'InvalidSignatureException']);
    expect(text).not.toContain('it has');
  });
});

describe('the query protocol', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

  test('an action in a form or in the query string is answered in XML', async () => {
    const expected = `<GetCallerIdentityResult><Account>${RIG_ACCOUNT}</Account><Arn>arn:aws:iam::${RIG_ACCOUNT}:root</Arn><UserId>${RIG_ACCOUNT}</UserId></GetCallerIdentityResult>`;
    const posted = await rig.send('POST', '/', { service: 'sts', headers: form, body: 'Action=GetCallerIdentity&Version=2011-06-15' });
    const got = await rig.send('GET', '/?Action=GetCallerIdentity&Version=2011-06-15', { service: 'sts' });
    expect([posted.status, got.status]).toEqual([200, 200]);
    for (const { text } of [posted, got])
      expect(text).toContain(
        `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${expected}<ResponseMetadata><RequestId>`,
      );
    expect(rig.records[0]).toMatchObject({
      eventSource: 'sts.amazonaws.com',
      requestParameters: null,
      responseElements: null,
      isReadOnly: true,
    });
  });

  test('an unknown, missing or doubled action is refused in XML', async () => {
    for (const [body, code] of [
      ['Action=constructor', 'InvalidAction'],
      ['Version=1', 'MissingAction'],
      ['Action=A&Action=B', 'MalformedInput'],
      ['Action=%ff', 'MalformedInput'],
    ]) {
      const { status, text } = await rig.send('POST', '/', { service: 'sts', headers: form, body: body! });
      expect([status, /<Type>Sender<\/Type><Code>(\w+)<\/Code>/.exec(text)?.[1]]).toEqual([400, code]);
    }
  });
});

describe('bodies', () => {
  const trail = '{"Name":"trail-one","S3BucketName":"bucket-one"}';

  test('gzip is understood, other encodings are refused with 415', async () => {
    expect((await json('CreateTrail', gzipSync(trail), { headers: { 'content-encoding': 'gzip' } })).status).toBe(200);
    expect((await json('CreateTrail', trail, { headers: { 'content-encoding': 'br' } })).status).toBe(415);
    expect((await json('CreateTrail', trail, { headers: { 'content-encoding': 'gzip' } })).status).toBe(400);
  });

  test('A59: a bomb is stopped at the limit with 413', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000, ' '));
    expect(bomb.length).toBeLessThan(10_000);
    const { status, text } = await json('CreateTrail', bomb, { headers: { 'content-encoding': 'gzip' } });
    expect([status, typeOf(text)]).toEqual([413, 'RequestEntityTooLargeException']);
  });

  test('a body above the limit is refused with 413', async () => {
    expect((await json('CreateTrail', 'x'.repeat(10_001))).status).toBe(413);
  });

  test.each([
    ['no JSON', 'x'],
    ['no object', '[]'],
    ['too deep', `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`],
    ['too wide', `{"a":[${'1,'.repeat(10_000)}1]}`.slice(0, 9_999)],
    ['a member twice (A48)', '{"Name":"a","Name":"b"}'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('%s is a SerializationException, recorded', async (_, body) => {
    const { status, text } = await json('CreateTrail', body);
    expect([status, typeOf(text), rig.names()]).toEqual([400, 'SerializationException', ['CreateTrail:SerializationException']]);
  });

  test('bodies beyond the memory for all of them are turned away with 503 and come in later', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const plain = handleStream;
    handleStream = async (request) => {
      begun();
      await held;
      return plain(request);
    };
    const body = Buffer.alloc(99_000, 'a');
    const first = rig.send('POST', '/v1/events', { service: 'snowtrail', body });
    await started;
    const second = rig.send('POST', '/v1/events', { service: 'snowtrail', body });
    const third = await rig.send('POST', '/v1/events', { service: 'snowtrail', body: Buffer.alloc(98_000, 'b') });
    expect([third.status, typeOf(third.text)]).toEqual([503, 'ThrottlingException']);
    release();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect((await rig.send('POST', '/v1/events', { service: 'snowtrail', body })).status).toBe(200);
  });
});

describe('streamed routes', () => {
  const post = (target: string, options: SendOptions = {}) => rig.send('POST', target, { service: 'snowtrail', ...options });

  test('the verified body is handed over, and the route itself records the call', async () => {
    const { status, text } = await post('/v1/events?source=import', { body: 'line\nline\n' });
    expect([status, text]).toEqual([200, 'line\nline\n import']);
    expect(rig.records).toEqual([]);
  });

  test('a gzip body is unpacked within the limit', async () => {
    expect((await post('/v1/events', { body: gzipSync('abc'), headers: { 'content-encoding': 'gzip' } })).text).toBe('abc ');
    const bomb = await post('/v1/events', { body: gzipSync(Buffer.alloc(2_000_000)), headers: { 'content-encoding': 'gzip' } }).catch(
      (error: unknown) => error,
    );
    expect(bomb).toBeInstanceOf(Error);
  });

  test('chunks are handed over as each is verified', async () => {
    const url = `${rig.url}/v1/events`;
    const chunks = ['first\n', 'second\n', ''];
    const headers = { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '13' };
    const send = async (change: (wire: Buffer) => Buffer): Promise<Response> => {
      const signed = signRequest(
        { method: 'POST', url, headers },
        {
          credentials: RIG_KEY,
          region: RIG_REGION,
          service: 'snowtrail',
          nowMs: Date.now(),
          payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        },
      );
      const { host: _host, ...sent } = signed.headers;
      const wire = change(Buffer.concat(chunks.map((chunk) => encodeSignedChunk(signed.chain, Buffer.from(chunk)))));
      return fetch(url, { method: 'POST', headers: sent, body: wire as Uint8Array<ArrayBuffer> });
    };
    expect(await (await send((wire) => wire)).text()).toBe('first\nsecond\n ');
    const seen: string[] = [];
    handleStream = async ({ body }) => {
      for await (const piece of body) seen.push(Buffer.from(piece).toString());
    };
    const forged = await send((wire) => Buffer.from(wire.toString().replace('second', 'sEcond')));
    expect([forged.status, seen.join('')]).toEqual([403, 'first\n']);
  });

  test('a refusal before the answer begins is an error document, recorded', async () => {
    handleStream = async () => {
      throw new ApiError('ValidationException', 'no such source');
    };
    const { status, text } = await post('/v1/events', { body: 'x' });
    expect([status, typeOf(text)]).toEqual([400, 'ValidationException']);
  });

  test('an answer that breaks off is seen to be broken', async () => {
    handleStream = async ({ answer }) => {
      answer.start(200, {});
      await answer.write('half');
      throw new Error('the disk failed');
    };
    await expect(post('/v1/events', { body: 'x' })).rejects.toThrow();
  });
});

describe('pages', () => {
  test('a listed page needs no signature and is not recorded; others need one', async () => {
    const page = await fetch(`${rig.url}/healthz`);
    expect([page.status, await page.text(), page.headers.get('content-type')]).toEqual([200, 'ok', 'text/plain']);
    const head = await fetch(`${rig.url}/healthz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await fetch(`${rig.url}/healthz`, { method: 'POST' })).status).toBe(403);
    expect((await fetch(`${rig.url}/metrics`)).status).toBe(403);
    expect(rig.records).toEqual([]);
  });

  test('a page gets a bearer token that was sent, and elsewhere a bearer token is no signature', async () => {
    const headers = { authorization: 'Bearer secret-of-a-scraper' };
    const pages = new Map([
      [
        '/token',
        async ({ authorization }: { authorization: string | undefined }) => ({
          status: 200,
          contentType: 'text/plain',
          body: `${authorization}`,
        }),
      ],
    ]);
    const own = await HttpRig.start({ pages });
    expect(await (await fetch(`${own.url}/token`, { headers })).text()).toBe(headers.authorization);
    expect(await (await fetch(`${own.url}/token`)).text()).toBe('undefined');
    expect((await fetch(`${own.url}/other`, { headers })).status).toBeGreaterThanOrEqual(400);
    // A page is for who claims no signature, whatever is sent beside one.
    expect((await fetch(`${own.url}/token?X-Amz-Signature=x`, { headers })).status).toBe(400);
    await own.close();
  });

  test('a signed request for the same path is S3', async () => {
    expect((await rig.send('GET', '/healthz', { key: OTHER_KEY })).text).toContain('<Code>NoSuchBucket</Code>');
  });
});
