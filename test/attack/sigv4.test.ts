/**
 * Attacks on authentication: rows A01 to A11 of the attack matrix, against the listening server.
 */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BucketName, ObjectKey } from '../../src/event/types.ts';
import { ALGORITHM, percentEncode, S3_PATH, SERVICE_PATH, scopeText, sha256Hex, stringToSign } from '../../src/http/canonical-request.ts';
import { formatAmzDate } from '../../src/http/read-authorization.ts';
import { signRequest } from '../../src/http/sign-request.ts';
import { deriveSigningKey, hmac, SigningKeys } from '../../src/http/signing-keys.ts';
import { verifySignature } from '../../src/http/verify-signature.ts';
import { credentialsOf, HttpRig, RIG_ACCOUNT, RIG_KEY, RIG_REGION } from '../support/http-rig.ts';
import { type RigState, rigServices } from '../support/rig-services.ts';

const TEMPORARY = { accessKeyId: 'ASIATEMPORARY0000001', secretAccessKey: 'temporary-secret', sessionToken: 'token/+=1' };
const EXPIRED = { accessKeyId: 'ASIAEXPIRED000000001', secretAccessKey: 'expired-secret', sessionToken: 'token2' };
const INACTIVE = { accessKeyId: 'AKIAINACTIVE00000001', secretAccessKey: 'inactive-secret' };

const state: RigState = { trails: [] };
let rig: HttpRig;

beforeAll(async () => {
  rig = await HttpRig.start({
    services: rigServices(state),
    credentials: [
      credentialsOf(RIG_KEY, RIG_ACCOUNT),
      credentialsOf(TEMPORARY, RIG_ACCOUNT, { expiresAtMs: Date.now() + 3_600_000 }),
      credentialsOf(EXPIRED, RIG_ACCOUNT, { expiresAtMs: Date.now() - 1 }),
      credentialsOf(INACTIVE, RIG_ACCOUNT, { status: 'Inactive' }),
    ],
  });
  await rig.send('PUT', '/bucket-one', {});
});
afterAll(() => rig.close());
beforeEach(() => {
  rig.records.length = 0;
  rig.problems.length = 0;
  state.trails.length = 0;
  rig.skewMs = 0;
});

interface Plan {
  method?: string;
  target?: string;
  service?: string;
  body?: string;
  headers?: Record<string, string>;
  key?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  payload?: string;
  region?: string;
  nowMs?: number;
}

const TARGET = { 'x-amz-target': 'CloudTrail_20131101.CreateTrail', 'content-type': 'application/x-amz-json-1.1' };
const BODY = '{"Name":"trail-one","S3BucketName":"bucket-one"}';

/** What a client would send for this plan; `change` is what an attacker makes of it on the way. */
async function attack(
  plan: Plan,
  change: (sent: { method: string; target: string; headers: [string, string][]; body: string }) => void = () => undefined,
): Promise<{ status: number; code: string; text: string }> {
  const {
    method = 'POST',
    target = '/',
    service = 'cloudtrail',
    body = BODY,
    headers = service === 'cloudtrail' ? TARGET : {},
    key = RIG_KEY,
    region = RIG_REGION,
    nowMs = Date.now(),
  } = plan;
  const signed = signRequest(
    { method, url: `${rig.url}${target}`, headers },
    { credentials: key, region, service, nowMs, payload: plan.payload ?? Buffer.from(body) },
  );
  const sent = { method, target, headers: Object.entries(signed.headers) as [string, string][], body };
  change(sent);
  return raw(sent);
}

function raw({
  method,
  target,
  headers,
  body,
}: {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
}): Promise<{ status: number; code: string; text: string }> {
  const { hostname, port } = new URL(rig.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        hostname,
        port,
        method,
        path: target,
        headers: [...headers, ['content-length', `${Buffer.byteLength(body)}`]].flat(),
        setHost: false,
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          resolve({
            status: response.statusCode!,
            code: /"__type":"(\w+)"|<Code>(\w+)<\/Code>/.exec(text)?.slice(1).find(Boolean) ?? '',
            text,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const setHeader = (sent: { headers: [string, string][] }, name: string, value: string | undefined): void => {
  sent.headers = sent.headers.filter(([known]) => known !== name);
  if (value !== undefined) sent.headers.push([name, value]);
};
const getHeader = (sent: { headers: [string, string][] }, name: string): string => sent.headers.find(([known]) => known === name)![1];
const changeHeader = (sent: { headers: [string, string][] }, name: string, change: (value: string) => string): void =>
  setHeader(sent, name, change(getHeader(sent, name)));

/** A presigned URL. */
function presign({
  method = 'GET',
  path = '/bucket-one',
  service = 's3',
  expires = '60',
  nowMs = Date.now(),
  extra = '',
  region = RIG_REGION,
}: {
  method?: string;
  path?: string;
  service?: string;
  expires?: string;
  nowMs?: number;
  extra?: string;
  region?: string;
}): string {
  const amzDate = formatAmzDate(nowMs);
  const scope = { date: amzDate.slice(0, 8), region, service };
  const query = [
    ...(extra === '' ? [] : [extra]),
    `X-Amz-Algorithm=${ALGORITHM}`,
    `X-Amz-Credential=${percentEncode(`${RIG_KEY.accessKeyId}/${scopeText(scope)}`)}`,
    `X-Amz-Date=${amzDate}`,
    `X-Amz-Expires=${expires}`,
    'X-Amz-SignedHeaders=host',
  ].join('&');
  const parts = { method, path, query, headers: [['host', new URL(rig.url).host]] as const };
  const payloadHash = service === 's3' ? 'UNSIGNED-PAYLOAD' : sha256Hex('');
  const text = stringToSign(parts, {
    amzDate,
    scope,
    signedHeaders: ['host'],
    payloadHash,
    pathForm: service === 's3' ? S3_PATH : SERVICE_PATH,
  });
  return `${path}?${query}&X-Amz-Signature=${hmac(deriveSigningKey(RIG_KEY.secretAccessKey, scope), text).toString('hex')}`;
}

const get = (target: string): Promise<{ status: number; code: string; text: string }> =>
  raw({ method: 'GET', target, headers: [['host', new URL(rig.url).host]], body: '' });

describe('A01: wrong secrets and requests changed on the way', () => {
  test('the honest request is served, recorded and takes effect', async () => {
    expect(await attack({})).toMatchObject({ status: 200, text: BODY });
    expect(state.trails).toEqual(['trail-one']);
    expect(rig.names()).toEqual(['CreateTrail']);
  });

  test.each<[string, Parameters<typeof attack>[1]]>([
    [
      'the body',
      (sent) => {
        sent.body = sent.body.replace('trail-one', 'trail-two');
      },
    ],
    ['the operation', (sent) => setHeader(sent, 'x-amz-target', 'CloudTrail_20131101.ListTrails')],
    ['the content type', (sent) => setHeader(sent, 'content-type', 'application/x-amz-json-1.0')],
    [
      'the path',
      (sent) => {
        sent.target = '/x';
      },
    ],
    [
      'the query',
      (sent) => {
        sent.target = '/?a=b';
      },
    ],
    [
      'the method',
      (sent) => {
        sent.method = 'PUT';
      },
    ],
    ['the host', (sent) => setHeader(sent, 'host', 'elsewhere.example')],
    [
      'one digit of the signature',
      (sent) => changeHeader(sent, 'authorization', (value) => value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')),
    ],
  ])('%s changed after signing is refused, and nothing happens', async (_, change) => {
    expect(await attack({}, change)).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    expect([state.trails, rig.records]).toEqual([[], []]);
    expect(rig.problems).toMatchObject([{ kind: 'signature-refused', accessKeyId: RIG_KEY.accessKeyId, sourceIpAddress: '127.0.0.1' }]);
  });

  test('a wrong secret is refused in the words of each service', async () => {
    const key = { ...RIG_KEY, secretAccessKey: 'wrong' };
    expect(await attack({ key })).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    expect(await attack({ key, service: 's3', method: 'GET', body: '' })).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    expect(await attack({ key, service: 'sts', method: 'GET', target: '/?Action=GetCallerIdentity', body: '' })).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    });
    expect(await attack({ key, service: 'snowtrail', target: '/v1/CreateAccessKey', body: '{}' })).toMatchObject({
      status: 403,
      code: 'InvalidSignatureException',
    });
  });

  test('an unknown and a switched-off key are refused alike', async () => {
    for (const key of [{ accessKeyId: 'AKIANOBODY0000000000', secretAccessKey: 'x' }, INACTIVE]) {
      expect(await attack({ key })).toMatchObject({ status: 403, code: 'UnrecognizedClientException' });
      expect(await attack({ key, service: 's3', method: 'GET', body: '' })).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' });
      expect(
        await attack({
          key,
          service: 'sts',
          target: '/',
          body: 'Action=GetCallerIdentity',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
      ).toMatchObject({ status: 403, code: 'InvalidClientTokenId' });
    }
  });
});

describe('A02: bodies that are not the ones that were signed', () => {
  test('a body other than its declared hash is refused', async () => {
    expect(await attack({ payload: sha256Hex('{}') })).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    expect(await attack({ service: 's3', method: 'PUT', target: '/bucket-one/a', payload: sha256Hex('{}') })).toMatchObject({
      status: 400,
      code: 'XAmzContentSHA256Mismatch',
    });
    expect(state.trails).toEqual([]);
    expect((await rig.send('HEAD', '/bucket-one/a')).status).toBe(404);
  });

  test('an unsigned body is taken by S3 only', async () => {
    for (const payload of ['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']) {
      expect(await attack({ payload })).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    }
    expect(await attack({ service: 's3', method: 'PUT', target: '/bucket-one/unsigned', payload: 'UNSIGNED-PAYLOAD' })).toMatchObject({
      status: 200,
    });
    expect(state.trails).toEqual([]);
  });

  test('S3 wants x-amz-content-sha256, and one that it knows', async () => {
    expect(
      await attack({ service: 's3', method: 'GET', body: '' }, (sent) => setHeader(sent, 'x-amz-content-sha256', undefined)),
    ).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(await attack({ service: 's3', method: 'GET', body: '', payload: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
    });
  });
});

describe('A03: clocks', () => {
  test.each([
    ['cloudtrail', 300, 'InvalidSignatureException'],
    ['s3', 900, 'RequestTimeTooSkewed'],
  ])('%s takes %d seconds either way and not one more', async (service, seconds, code) => {
    const plan =
      service === 's3'
        ? { service, method: 'GET', body: '' }
        : { headers: { ...TARGET, 'x-amz-target': 'CloudTrail_20131101.ListTrails' }, body: '{}' };
    // Whole seconds: the server's clock moves on by some milliseconds meanwhile.
    const nowMs = Math.floor(Date.now() / 1000) * 1000;
    for (const sign of [1, -1]) {
      rig.skewMs = 0;
      expect((await attack({ ...plan, nowMs: nowMs + sign * (seconds - 2) * 1000 })).status).toBe(200);
      expect(await attack({ ...plan, nowMs: nowMs + sign * (seconds + 2) * 1000 })).toMatchObject({ status: 403, code });
    }
  });

  test('the date must be one', async () => {
    for (const date of ['20260230T000000Z', '20261101T250000Z', '2026-11-01T00:00:00Z', '']) {
      expect(await attack({}, (sent) => setHeader(sent, 'x-amz-date', date))).toMatchObject({
        status: 403,
        code: 'IncompleteSignatureException',
      });
    }
  });
});

describe('A04: replays', () => {
  test('a captured request sent again is the same call again, seen twice in the record', async () => {
    let captured: { method: string; target: string; headers: [string, string][]; body: string } | undefined;
    await attack({}, (sent) => {
      captured = sent;
    });
    expect(await raw(captured!)).toMatchObject({ status: 400, code: 'TrailAlreadyExistsException' });
    expect(rig.names()).toEqual(['CreateTrail', 'CreateTrail:TrailAlreadyExistsException']);
    expect(state.trails).toEqual(['trail-one']);
  });
});

describe('A04: replays of what is carried out once', () => {
  const KEY_CALL = { service: 'snowtrail', target: '/v1/CreateAccessKey', body: '{}', headers: { 'content-type': 'application/json' } };

  test('a captured request is refused, recorded, and shows no secret, however it is disguised', async () => {
    const captured: Parameters<typeof raw>[0][] = [];
    const first = await attack(KEY_CALL, (sent) => void captured.push({ ...sent, headers: [...sent.headers] }));
    expect(first).toMatchObject({ status: 200, text: expect.stringContaining('canary-secret') });
    const [request] = captured;
    const upperCase = (value: string) =>
      value.replace(/Signature=[0-9a-f]+$/, (text) => text.replace(/[0-9a-f]+$/, (hex) => hex.toUpperCase()));
    const disguises = [
      request!,
      { ...request!, headers: [...request!.headers, ['x-unsigned', 'new']] as [string, string][] },
      { ...request!, headers: request!.headers.map(([name, value]) => [name, upperCase(value)] as [string, string]) },
    ];
    for (const disguise of disguises) {
      const answer = await raw(disguise);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain('canary-secret');
    }
    expect(rig.names().slice(0, 2)).toEqual(['CreateAccessKey', 'CreateAccessKey:InvalidSignatureException']);
  });

  test('the same call signed anew is carried out, and so are two of one second by the AWS SDK, which never signs the same', async () => {
    const nowMs = Date.now() - 60_000;
    expect((await attack({ ...KEY_CALL, nowMs })).status).toBe(200);
    expect((await attack({ ...KEY_CALL, nowMs })).status).toBe(403);
    expect((await attack({ ...KEY_CALL, nowMs: nowMs + 1_000 })).status).toBe(200);
    const headers = { ...KEY_CALL.headers, 'amz-sdk-invocation-id': 'one' };
    expect((await attack({ ...KEY_CALL, headers, nowMs })).status).toBe(200);
  });
});

describe('A05: scopes', () => {
  test.each([
    ['date', /\/20\d{6}\//, '/20200101/'],
    ['Region', /eu-central-1/, 'us-west-2'],
    ['service', /\/cloudtrail\//, '/sts/'],
    ['unknown service', /\/cloudtrail\//, '/ec2/'],
    ['terminator', /aws4_request/, 'aws5_request'],
  ])('another %s in the scope is refused', async (_, from, to) => {
    const { status } = await attack({}, (sent) => changeHeader(sent, 'authorization', (value) => value.replace(from, to)));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(state.trails).toEqual([]);
  });

  test('a request signed for one service is not taken for another', async () => {
    expect(await attack({ service: 'iam', headers: TARGET })).toMatchObject({ status: 400, code: 'UnsupportedOperationException' });
    const key = { ...RIG_KEY, secretAccessKey: 'wrong' };
    expect(await attack({ service: 'iam', headers: TARGET, key })).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    expect(state.trails).toEqual([]);
  });
});

describe('A06: headers that are not signed, or come twice', () => {
  /** Signs anew and rightly, but leaves one header out of what the signature covers. */
  const unsign = (name: string) => (sent: { method: string; target: string; headers: [string, string][] }) => {
    const amzDate = getHeader(sent, 'x-amz-date');
    const scope = { date: amzDate.slice(0, 8), region: RIG_REGION, service: 'cloudtrail' };
    const signedHeaders = sent.headers
      .map(([known]) => known)
      .filter((known) => known !== name && known !== 'authorization')
      .sort();
    const payloadHash = getHeader(sent, 'x-amz-content-sha256');
    const parts = { method: sent.method, path: sent.target, query: '', headers: sent.headers };
    const text = stringToSign(parts, { amzDate, scope, signedHeaders, payloadHash, pathForm: SERVICE_PATH });
    const signature = hmac(deriveSigningKey(RIG_KEY.secretAccessKey, scope), text).toString('hex');
    setHeader(
      sent,
      'authorization',
      `${ALGORITHM} Credential=${RIG_KEY.accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
    );
  };

  test('a header that need not be signed may be left out', async () => {
    expect((await attack({}, unsign('content-type'))).status).toBe(200);
  });

  test.each(['host', 'x-amz-target', 'x-amz-date', 'x-amz-content-sha256'])('%s must be signed, by whomever', async (name) => {
    expect(await attack({}, unsign(name))).toMatchObject({ status: 403, code: 'InvalidSignatureException' });
    expect(state.trails).toEqual([]);
  });

  test('an x-amz- header put in on the way is refused', async () => {
    expect(await attack({}, (sent) => setHeader(sent, 'x-amz-extra', '1'))).toMatchObject({
      status: 403,
      code: 'InvalidSignatureException',
    });
    expect(
      await attack({ service: 's3', method: 'PUT', target: '/bucket-one/b' }, (sent) => setHeader(sent, 'x-amz-acl', 'private')),
    ).toMatchObject({ status: 403, code: 'AccessDenied' });
  });

  test.each(['authorization', 'x-amz-target', 'x-amz-date', 'content-type', 'host'])('a second %s is refused', async (name) => {
    const answer = await attack({}, (sent) => sent.headers.push([name, getHeader(sent, name)]));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(state.trails).toEqual([]);
  });

  test('a header that the signature covers and the request lacks is refused', async () => {
    expect(await attack({ headers: { ...TARGET, 'x-other': 'value' } }, (sent) => setHeader(sent, 'x-other', undefined))).toMatchObject({
      status: 403,
      code: 'InvalidSignatureException',
    });
  });
});

describe('A07: session tokens', () => {
  const plan = { headers: { ...TARGET, 'x-amz-target': 'CloudTrail_20131101.ListTrails' }, body: '{}' };

  test('a temporary key with its token is served', async () => {
    expect((await attack({ ...plan, key: TEMPORARY })).status).toBe(200);
  });

  test('no token, another one, and one for a lasting key are refused', async () => {
    const { sessionToken: _token, ...bare } = TEMPORARY;
    for (const key of [bare, { ...bare, sessionToken: 'token/+=2' }, { ...RIG_KEY, sessionToken: 'token' }]) {
      expect(await attack({ ...plan, key })).toMatchObject({ status: 403, code: 'UnrecognizedClientException' });
      expect(await attack({ service: 's3', method: 'GET', body: '', key })).toMatchObject({ status: 400, code: 'InvalidToken' });
    }
  });

  test('an expired key is refused as expired', async () => {
    expect(await attack({ ...plan, key: EXPIRED })).toMatchObject({ status: 403, code: 'ExpiredTokenException' });
    expect(await attack({ service: 's3', method: 'GET', body: '', key: EXPIRED })).toMatchObject({ status: 400, code: 'ExpiredToken' });
  });
});

describe('A08: presigned URLs', () => {
  test('one is good until it expires, for what it was signed for', async () => {
    expect((await get(presign({}))).status).toBe(200);
    expect((await get(presign({ expires: '604800' }))).status).toBe(200);
    expect((await get(presign({ service: 'sts', path: '/', extra: 'Action=GetCallerIdentity' }))).status).toBe(200);
    expect(await raw({ method: 'DELETE', target: presign({}), headers: [['host', new URL(rig.url).host]], body: '' })).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    });
    expect(await get(presign({ nowMs: Date.now() - 61_000 }))).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(await get(presign({ nowMs: Date.now() + 1_000_000 }))).toMatchObject({ status: 403, code: 'AccessDenied' });
  });

  test.each(['604801', '0', '-1', 'soon', ''])('an expiry of `%s` seconds is refused', async (expires) => {
    expect(await get(presign({ expires }))).toMatchObject({ status: 400, code: 'AuthorizationQueryParametersError' });
  });

  test('a parameter put in, or the signature twice, is refused', async () => {
    expect(await get(`${presign({})}&prefix=x`)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    const url = presign({});
    const signature = /X-Amz-Signature=\w+/.exec(url)![0];
    expect(await get(`${url}&${signature}`)).toMatchObject({ status: 400, code: 'AuthorizationQueryParametersError' });
    expect(await get(`${url}&x-amz-signature=1`)).toMatchObject({ status: 400, code: 'AuthorizationQueryParametersError' });
  });

  test('a URL and a header at once are refused', async () => {
    const target = presign({});
    expect(
      await raw({
        method: 'GET',
        target,
        headers: [
          ['host', new URL(rig.url).host],
          ['authorization', 'AWS4-HMAC-SHA256 Credential=x'],
        ],
        body: '',
      }),
    ).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  test('what an SDK wrote into the URL instead of a header counts as the header, but for a checksum of no body', async () => {
    const put = async (path: string, extra: string, body = 'by url') => {
      const headers: [string, string][] = [['host', new URL(rig.url).host]];
      return raw({ method: 'PUT', target: presign({ method: 'PUT', path: `/bucket-one/${path}`, extra }), headers, body });
    };
    const emptyCrc = 'x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32';
    expect((await put('hoisted', `${emptyCrc}&x-amz-meta-name=%C3%BC&X-Amz-Meta-Other=2`)).status).toBe(200);
    const info = await rig.objects.head('bucket-one' as BucketName, 'hoisted' as ObjectKey);
    expect(info?.metadata).toEqual({ name: 'ü', other: '2' });
    expect((await put('copied', 'x-amz-copy-source=bucket-one%2Fhoisted', '')).status).toBe(200);
    expect((await rig.objects.head('bucket-one' as BucketName, 'copied' as ObjectKey))?.sizeBytes).toBe(6);
    expect(await put('kms', 'x-amz-server-side-encryption=aws%3Akms')).toMatchObject({ status: 501, code: 'NotImplemented' });
    expect(await put('public', 'x-amz-acl=public-read')).toMatchObject({ status: 400, code: 'AccessControlListNotSupported' });
    expect(await put('other', 'x-amz-expected-bucket-owner=000000000009')).toMatchObject({ status: 403, code: 'AccessDenied' });
  });

  test('its record says how the call was authenticated, and holds no secret of it', async () => {
    const url = presign({});
    await get(url);
    const [record] = rig.records;
    expect(record?.additionalEventData).toMatchObject({ AuthenticationMethod: 'QueryString', SignatureVersion: 'SigV4' });
    expect(JSON.stringify(record)).not.toContain(/X-Amz-Signature=(\w+)/.exec(url)![1]);
    expect(record?.requestParameters).toMatchObject({ 'X-Amz-Expires': '60', 'X-Amz-Algorithm': ALGORITHM });
  });
});

describe('A09: what a refusal tells by its time', () => {
  test('an unknown key and a wrong secret cost the same work', async () => {
    const signingKeys = new SigningKeys();
    const known = credentialsOf(RIG_KEY, RIG_ACCOUNT);
    const deps = { findCredentials: async (id: string) => (id === RIG_KEY.accessKeyId ? known : undefined), signingKeys };
    const parts = { method: 'GET', path: '/', query: '', headers: [['host', 'h']] as const };
    const time = async (accessKeyId: string, region: string): Promise<number> => {
      const scope = { date: '20261101', region, service: 'cloudtrail' };
      const claim = {
        form: 'header' as const,
        accessKeyId,
        scope,
        signedHeaders: ['host'],
        signature: '0'.repeat(64),
        amzDate: '20261101T000000Z',
        signedAtMs: 0,
      };
      const begin = process.hrtime.bigint();
      await verifySignature(parts, claim, { payloadHash: 'x', nowMs: 0 }, deps).catch(() => undefined);
      return Number(process.hrtime.bigint() - begin);
    };
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
    const ids = [RIG_KEY.accessKeyId, 'AKIANOBODY0000000000'] as const;
    // With a signing key that is derived at each try, and with one that was derived before.
    for (const regionOf of [(index: number) => `region-${index}`, () => RIG_REGION]) {
      for (let index = 0; index < 500; index++) for (const id of ids) await time(id, regionOf(-index));
      const [wrong, unknown]: [number[], number[]] = [[], []];
      for (let index = 0; index < 10_000; index++) {
        wrong.push(await time(ids[0], regionOf(index)));
        unknown.push(await time(ids[1], regionOf(index)));
      }
      // The two paths differ by their error messages only; a derivation or an HMAC left out would halve the time.
      const ratio = median(wrong) / median(unknown);
      expect(ratio).toBeGreaterThan(0.75);
      expect(ratio).toBeLessThan(1.33);
    }
  });
});

describe('A11: no signature', () => {
  test.each<[string, [string, string][], string, string]>([
    ['an anonymous JSON call', Object.entries(TARGET), '/', 'MissingAuthenticationTokenException'],
    ['an anonymous S3 call', [], '/bucket-one/a', 'AccessDenied'],
    ['an anonymous query', [], '/?Action=GetCallerIdentity', 'MissingAuthenticationToken'],
    [
      'Basic authentication',
      [['authorization', 'Basic QUtJQTpzZWNyZXQ='], ...Object.entries(TARGET)],
      '/',
      'MissingAuthenticationTokenException',
    ],
    ['a bearer token', [['authorization', 'Bearer x']], '/v1/CreateAccessKey', 'MissingAuthenticationTokenException'],
    ['a key in the URL', [], `/bucket-one?AWSAccessKeyId=${RIG_KEY.accessKeyId}&Signature=x`, 'InvalidRequest'],
    ['Signature Version 2', [['authorization', `AWS ${RIG_KEY.accessKeyId}:c2ln`]], '/bucket-one', 'InvalidRequest'],
  ])('%s is refused', async (_, headers, target, code) => {
    const answer = await raw({
      method: target.startsWith('/v1') || headers.some(([name]) => name === 'x-amz-target') ? 'POST' : 'GET',
      target,
      headers: [['host', new URL(rig.url).host], ...headers],
      body: '',
    });
    expect(answer.code).toBe(code);
    expect(answer.status).toBe(code === 'InvalidRequest' ? 400 : 403);
  });

  test.each([
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 ',
    'AWS4-HMAC-SHA256 Credential=x',
    'AWS4-HMAC-SHA256 Credential=AKIA/20261101/r/s/aws4_request, SignedHeaders=, Signature=00',
    `AWS4-HMAC-SHA256 Credential=AKIA/20261101/us-east-1/cloudtrail/aws4_request, SignedHeaders=x-amz-date;host, Signature=${'0'.repeat(64)}`,
    `AWS4-HMAC-SHA256 Credential=AKIA/20261101/us-east-1/cloudtrail/aws4_request, SignedHeaders=host;host, Signature=${'0'.repeat(64)}`,
    `AWS4-HMAC-SHA256 Credential=AKIA/20261101/us-east-1/cloudtrail/aws4_request, Credential=A, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    `AWS4-HMAC-SHA256 Credential=AKIA/20261101/us-east-1/cloudtrail/aws4_request, SignedHeaders=host, Signature=${'A'.repeat(64)}`,
  ])('`%s` is refused as incomplete or missing', async (authorization) => {
    const headers: [string, string][] = [
      ['host', new URL(rig.url).host],
      ...Object.entries(TARGET),
      ['authorization', authorization],
      ['x-amz-date', formatAmzDate(Date.now())],
    ];
    const { status, code } = await raw({ method: 'POST', target: '/', headers, body: '{}' });
    expect(status).toBe(403);
    expect(['IncompleteSignatureException', 'MissingAuthenticationTokenException']).toContain(code);
  });
});
