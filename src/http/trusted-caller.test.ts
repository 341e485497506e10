/**
 * A server without authentication, over a real connection.
 */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { credentialsOf, HttpRig, RIG_ACCOUNT, RIG_KEY } from '../../test/support/http-rig.ts';
import { rigServices } from '../../test/support/rig-services.ts';
import type { Region } from '../event/types.ts';

let rig: HttpRig;

beforeEach(async () => {
  const { principal } = credentialsOf({ ...RIG_KEY, accessKeyId: 'no-auth' }, RIG_ACCOUNT);
  rig = await HttpRig.start({ services: rigServices({ trails: [] }), trustedCaller: { principal, region: 'eu-central-1' as Region } });
});
afterEach(() => rig.close());

/** Sends a request as it is, without a signature of ours. */
function send(
  method: string,
  path: string,
  { headers = {}, body = '' }: { readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${rig.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const TRAILS = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'CloudTrail_20131101.ListTrails' };
/** As a stock client signs with a key that nobody made. */
const scope = (service: string, region = 'eu-west-3') => ({
  authorization: `AWS4-HMAC-SHA256 Credential=FOOBARKEY/20200101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
});

describe('a server without authentication', () => {
  test('takes a request that is not signed as its caller, in its Region', async () => {
    expect((await send('POST', '/', { headers: TRAILS, body: '{}' })).status).toBe(200);
    expect(rig.records).toMatchObject([
      { call: { account: RIG_ACCOUNT, region: 'eu-central-1', principal: { type: 'Root', accessKeyId: 'no-auth' } } },
    ]);
  });

  test('takes a request that is signed with anything as its caller, in the Region of the scope', async () => {
    expect((await send('POST', '/', { headers: { ...TRAILS, ...scope('cloudtrail') }, body: '{}' })).status).toBe(200);
    expect(rig.records).toMatchObject([{ call: { account: RIG_ACCOUNT, region: 'eu-west-3', principal: { accessKeyId: 'no-auth' } } }]);
  });

  test('carries out a call again that was sent before, for nothing tells one from the other', async () => {
    const rotate = { headers: { ...TRAILS, 'x-amz-target': 'CloudTrail_20131101.ListTrails' }, body: '{}' };
    expect([(await send('POST', '/', rotate)).status, (await send('POST', '/', rotate)).status]).toEqual([200, 200]);
  });

  test('is S3 as well, for unsigned requests, presigned ones and signed chunks', async () => {
    expect((await send('PUT', '/unsigned-bucket')).status).toBe(200);
    expect((await send('PUT', '/unsigned-bucket/a', { headers: scope('s3'), body: 'one' })).status).toBe(200);
    const chunks = {
      ...scope('s3'),
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': '3',
      'content-encoding': 'aws-chunked',
    };
    const seal = `;chunk-signature=${'0'.repeat(64)}\r\n`;
    expect((await send('PUT', '/unsigned-bucket/b', { headers: chunks, body: `3${seal}two\r\n0${seal}\r\n` })).status).toBe(200);
    const presigned = `?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=FOOBARKEY%2F20200101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`;
    expect(await send('GET', `/unsigned-bucket/b${presigned}`)).toEqual({ status: 200, text: 'two' });
  });

  test('an unsigned action is of STS', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const { text } = await send('POST', '/', { headers: form, body: 'Action=NoSuchAction&Version=2011-06-15' });
    expect(text).toContain('<Code>InvalidAction</Code>');
  });

  test.each([
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['a page without an origin', { 'sec-fetch-site': 'cross-site' }],
    ['a name that resolves to loopback', { host: 'rebound.example:4620' }],
  ])('is closed to what a browser sends: %s', async (_, headers) => {
    const { status, text } = await send('POST', '/', { headers: { ...TRAILS, ...headers }, body: '{}' });
    expect([status, (JSON.parse(text) as { __type: string }).__type]).toEqual([403, 'AccessDeniedException']);
    expect(rig.records).toEqual([]);
  });
});
