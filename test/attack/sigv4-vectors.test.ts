/**
 * The published vectors of Signature Version 4, header and query form, against the verifier.
 *
 * They are in packages and not committed: `SNOWTRAIL_SIGV4_VECTORS` names a folder (default `.ci-tools/sigv4`) that holds
 * botocore's unpacked source (`tests/unit/auth/aws4_testsuite`) and the unpacked crate aws-sigv4
 * (`aws-signing-test-suite/v4`), at any depth of two. Missing: skipped with the reason, or a failure when everything is required.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AccountId } from '../../src/event/types.ts';
import {
  canonicalPath,
  canonicalRequest,
  type PathForm,
  type RawHeader,
  type RequestParts,
  SERVICE_PATH,
  sha256Hex,
  stringToSign,
} from '../../src/http/canonical-request.ts';
import { readAuthorization } from '../../src/http/read-authorization.ts';
import { SignatureRefusal } from '../../src/http/signature-refusal.ts';
import { SigningKeys } from '../../src/http/signing-keys.ts';
import { verifySignature } from '../../src/http/verify-signature.ts';
import { credentialsOf } from '../support/http-rig.ts';

const ROOT = resolve(process.env['SNOWTRAIL_SIGV4_VECTORS'] ?? '.ci-tools/sigv4');
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

/** A folder of that path below the root or one level under it. */
function findSuite(path: string): string | undefined {
  const candidates = existsSync(ROOT) ? [ROOT, ...readdirSync(ROOT).map((name) => join(ROOT, name))] : [];
  const found = candidates.map((folder) => join(folder, path)).find((folder) => existsSync(folder));
  if (found !== undefined) return found;
  const reason = `SigV4 vectors are missing: no \`${path}\` under \`${ROOT}\`; set SNOWTRAIL_SIGV4_VECTORS`;
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return undefined;
}

function read(...path: string[]): string {
  return readFileSync(join(...path), 'latin1').replaceAll('\r\n', '\n');
}

/** A request file: the text is taken byte by byte; a line that begins with a blank goes on with the header above. */
function parseRequest(text: string): RequestParts & { readonly body: string } {
  const [head, ...rest] = text.split('\n\n');
  const [first, ...lines] = head!.replace(/\n[ \t]+/g, ' ').split('\n');
  const match = /^(\S+) (.*) HTTP\/1\.1$/.exec(first!)!;
  const mark = match[2]!.indexOf('?');
  const headers = lines
    .filter((line) => line !== '')
    .map((line): RawHeader => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  return {
    method: match[1]!,
    path: mark < 0 ? match[2]! : match[2]!.slice(0, mark),
    query: mark < 0 ? '' : match[2]!.slice(mark + 1),
    headers,
    body: rest.join('\n\n').replace(/\n$/, ''),
  };
}

async function verify(request: RequestParts, payloadHash: string, pathForm: PathForm, token: string | undefined): Promise<string> {
  const authorization = readAuthorization(request.headers, request.query);
  const credentials = credentialsOf(
    { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET },
    '123456789012' as AccountId,
    token === undefined ? {} : { sessionToken: token },
  );
  const deps = { findCredentials: async () => credentials, signingKeys: new SigningKeys() };
  await verifySignature(request, authorization, { payloadHash, nowMs: authorization.signedAtMs, pathForm }, deps);
  return authorization.signature;
}

/** Cases whose token is added after signing: what is not signed can be changed on the way, so it is refused. */
const UNSIGNED_TOKEN = ['post-sts-header-after'];

const botocore = findSuite('tests/unit/auth/aws4_testsuite');

describe.skipIf(botocore === undefined)("botocore's vectors", () => {
  const cases =
    botocore === undefined ? [] : readdirSync(botocore, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.req'));

  test('the suite is whole', () => {
    expect(cases.length).toBe(34);
  });

  test.each(cases)('%s', async (path) => {
    const base = join(botocore!, path.replace(/\.req$/, ''));
    // One `.sreq` has a mistyped signature; the `.authz` beside each is what botocore's own test compares with.
    const sent = parseRequest(read(`${base}.sreq`));
    const headers = sent.headers.filter(([name]) => name.toLowerCase() !== 'authorization');
    const request = { ...sent, headers: [...headers, ['Authorization', read(`${base}.authz`).trim()] as const] };
    const payloadHash = sha256Hex(request.body);
    const pathForm: PathForm = { encoding: 'once', isNormalised: true };
    const token = headers.find(([name]) => name.toLowerCase() === 'x-amz-security-token')?.[1];
    if (UNSIGNED_TOKEN.some((name) => path.endsWith(`${name}.req`))) {
      await expect(verify(request, payloadHash, pathForm, token)).rejects.toThrow(SignatureRefusal);
      return;
    }
    const signing = { ...readAuthorization(request.headers, request.query), payloadHash, pathForm };
    expect(canonicalRequest(request, signing)).toBe(read(`${base}.creq`));
    expect(stringToSign(request, signing)).toBe(read(`${base}.sts`));
    expect(await verify(request, payloadHash, pathForm, token)).toBe(/Signature=(\w+)/.exec(read(`${base}.authz`))?.[1]);
  });
});

const crate = findSuite('aws-signing-test-suite/v4');

describe.skipIf(crate === undefined)("the AWS SDKs' vectors", () => {
  const cases = crate === undefined ? [] : readdirSync(crate);

  test('the suite is whole', () => {
    expect(cases.length).toBe(40);
  });

  const forms = cases
    .flatMap((name) => (['header', 'query'] as const).map((form) => [name, form] as const))
    .filter(([name]) => existsSync(join(crate!, name, 'context.json')));

  test.each(forms)('%s, %s form', async (name, form) => {
    const contextPath = join(crate!, name, 'context.json');
    const context = JSON.parse(readFileSync(contextPath, 'utf8'));
    const request = parseRequest(read(crate!, name, `${form}-signed-request.txt`));
    const expected = { creq: read(crate!, name, `${form}-canonical-request.txt`), sts: read(crate!, name, `${form}-string-to-sign.txt`) };
    const payloadHash = expected.creq.split('\n').at(-1)!;
    // The suite's own service takes what is encoded for encoded, unlike most services.
    const pathForm: PathForm = { encoding: 'once', isNormalised: context.normalize };
    const token: string | undefined = context.omit_session_token ? undefined : context.credentials.token;
    if (UNSIGNED_TOKEN.includes(name)) {
      await expect(verify(request, payloadHash, pathForm, token)).rejects.toThrow(SignatureRefusal);
      return;
    }
    const signing = { ...readAuthorization(request.headers, request.query), payloadHash, pathForm };
    expect(canonicalRequest(request, signing)).toBe(expected.creq);
    expect(stringToSign(request, signing)).toBe(expected.sts);
    expect(await verify(request, payloadHash, pathForm, token)).toBe(read(crate!, name, `${form}-signature.txt`).trim());
  });

  // These two have a canonical request only, and its date is not the request's.
  test.each(['double-encode-path', 'double-url-encode'])('%s: a service other than S3 encodes the path again', (name) => {
    const request = parseRequest(read(crate!, name, 'request.txt'));
    expect(canonicalPath(request.path, SERVICE_PATH)).toBe(read(crate!, name, 'header-canonical-request.txt').split('\n')[1]);
  });
});
