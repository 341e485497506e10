import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { IdentityRig } from '../../../test/support/identity-rig.ts';
import { OWNER, STRANGER } from '../../../test/support/intake-rig.ts';
import { createMemoryOutbound } from '../../store/memory/outbound.ts';
import { WebIdentityVerifier } from './verify-web-identity.ts';

const ISSUER = 'https://issuer.example.com';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PUBLIC = [
  { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', use: 'sig' },
  { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec', use: 'sig', alg: 'ES256' },
];

function token(
  claims: object,
  { header = { alg: 'RS256', kid: 'rsa' }, key = rsa.privateKey }: { header?: object; key?: KeyObject } = {},
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** A verifier whose issuer is configured for `OWNER`. */
async function open({
  keys = PUBLIC,
  issuer = ISSUER,
  place = `${ISSUER}/keys`,
}: {
  keys?: object[];
  issuer?: string;
  place?: string;
} = {}) {
  const rig = await IdentityRig.open();
  await rig.send('CreateOpenIDConnectProvider', { Url: ISSUER, ClientIDList: ['app', 'web'] });
  const { clock } = rig.intake;
  const fetched: string[] = [];
  const handler = async ({ url }: { readonly url: string }) => {
    fetched.push(url);
    const body = url === `${ISSUER}/keys` ? { keys } : { issuer, jwks_uri: place };
    return { status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) };
  };
  const outbound = createMemoryOutbound({ clock, handlers: new Map([[ISSUER, handler]]) });
  const verifier = new WebIdentityVerifier({ identities: rig.identities, outbound, realTimeMs: () => clock.nowMs() });
  const seconds = clock.nowMs() / 1000;
  const claims = { iss: ISSUER, aud: 'app', sub: 'alice', iat: seconds, exp: seconds + 600 };
  const codeOf = (text: string, account = OWNER) =>
    verifier.verify(text, account).then(
      () => 'taken',
      (error: { code?: string }) => error.code ?? String(error),
    );
  return { rig, clock, fetched, verifier, claims, codeOf };
}

describe('WebIdentityVerifier', () => {
  test('says who a token is of, by RSA and by elliptic curve', async () => {
    const { verifier, claims } = await open();
    const identity = {
      account: OWNER,
      providerArn: `arn:aws:iam::${OWNER}:oidc-provider/issuer.example.com`,
      host: 'issuer.example.com',
      subject: 'alice',
      audience: 'app',
      methods: [],
      tags: [],
      transitiveTagKeys: [],
    };
    expect(await verifier.verify(token(claims), OWNER)).toEqual(identity);
    expect(await verifier.verify(token(claims, { header: { alg: 'ES256', kid: 'ec' }, key: ec.privateKey }), OWNER)).toEqual(identity);
  });

  test('reads session tags and the source identity that the issuer sets', async () => {
    const { verifier, claims } = await open();
    const more = {
      'https://aws.amazon.com/tags': { principal_tags: { team: ['blue'] }, transitive_tag_keys: ['team', 'absent'] },
      'https://aws.amazon.com/source_identity': 'alice',
    };
    expect(await verifier.verify(token({ ...claims, ...more }), OWNER)).toMatchObject({
      tags: [{ Key: 'team', Value: 'blue' }],
      transitiveTagKeys: ['team'],
      sourceIdentity: 'alice',
    });
  });

  test('fetches nothing for an issuer that the account has not configured (A80)', async () => {
    const { fetched, claims, codeOf } = await open();
    for (const iss of ['https://other.example.com', 'http://issuer.example.com', 'https://issuer.example.com.evil.example', 7])
      expect(await codeOf(token({ ...claims, iss }))).toBe('InvalidIdentityToken');
    expect(await codeOf(token(claims), STRANGER)).toBe('InvalidIdentityToken');
    expect(fetched).toEqual([]);
  });

  test.each([
    ['no algorithm', { header: { alg: 'none', kid: 'rsa' } }],
    ['a secret for a signature', { header: { alg: 'HS256', kid: 'rsa' } }],
    ['the key of another algorithm', { header: { alg: 'RS256', kid: 'ec' } }],
    ['an extension', { header: { alg: 'RS256', kid: 'rsa', crit: ['b64'] } }],
    ['the signature of somebody else', { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }],
  ])('a token with %s is none', async (_, more) => {
    const { claims, codeOf } = await open();
    expect(await codeOf(token(claims, more))).toBe('InvalidIdentityToken');
  });

  test.each([
    ['ExpiredTokenException', { exp: 1 }],
    ['InvalidIdentityToken', { exp: undefined }],
    ['InvalidIdentityToken', { iat: 9_999_999_999 }],
    ['InvalidIdentityToken', { nbf: 9_999_999_999 }],
    ['InvalidIdentityToken', { aud: 'another' }],
    ['InvalidIdentityToken', { aud: [] }],
    ['InvalidIdentityToken', { sub: '' }],
    ['InvalidIdentityToken', { 'https://aws.amazon.com/tags': { principal_tags: { team: [7] } } }],
    ['taken', { aud: ['another', 'web'] }],
  ])('%s is the answer to %j', async (code, more) => {
    const { claims, codeOf } = await open();
    expect(await codeOf(token({ ...claims, ...more }))).toBe(code);
  });

  test.each(['', 'a.b', 'a.b.c', '....', `${Buffer.from('[]').toString('base64url')}.e30.AA`])('%j is no token', async (text) => {
    expect(await (await open()).codeOf(text)).toBe('InvalidIdentityToken');
  });

  test('keys are fetched once for ten minutes, and a key that is not shown makes it look again at most twice a minute', async () => {
    const { clock, fetched, claims, codeOf } = await open();
    for (let count = 0; count < 3; count += 1) expect(await codeOf(token(claims))).toBe('taken');
    expect(fetched).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`]);
    const unknown = token(claims, { header: { alg: 'RS256', kid: 'new' } });
    for (let count = 0; count < 3; count += 1) expect(await codeOf(unknown)).toBe('InvalidIdentityToken');
    expect(fetched).toHaveLength(2);
    await clock.advance(30_000);
    for (let count = 0; count < 3; count += 1) await codeOf(unknown);
    expect(fetched).toHaveLength(4);
  });

  test.each([
    [{ issuer: 'https://other.example.com' }, 'InvalidIdentityToken'],
    [{ place: 'http://issuer.example.com/keys' }, 'InvalidIdentityToken'],
    [{ place: 'https://gone.example.com/keys' }, 'IDPCommunicationError'],
  ])('an issuer that shows %j is not believed', async (shown, code) => {
    const { claims, codeOf } = await open(shown);
    expect(await codeOf(token(claims))).toBe(code);
  });
});
