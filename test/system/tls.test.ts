/**
 * TLS by the server itself and by a proxy before it: what policies that demand it let through, and whom they do not.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as plainRequest, type Server } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signRequest } from '../../src/http/sign-request.ts';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const ACCOUNT = '111111111111';
const REGION = 'us-east-1';
const BUCKET = 'tls-only-bucket';
const aws = await findAwsCli();

/** The documented policy of a trail's bucket, and the statement that keeps plain HTTP out. */
const POLICY = (() => {
  const documented = bucketPolicy(BUCKET, ACCOUNT) as { Statement: object[] };
  const Resource = [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`];
  const Condition = { Bool: { 'aws:SecureTransport': 'false' } };
  const deny = { Sid: 'AllowSSLRequestsOnly', Effect: 'Deny', Principal: '*', Action: 's3:*', Resource, Condition };
  return JSON.stringify({ ...documented, Statement: [...documented.Statement, deny] });
})();

let folder: string;
let server: StartedServer;
let key: { readonly accessKeyId: string; readonly secretAccessKey: string };

const file = (name: string) => join(folder, name);

/** A certificate of its own for 127.0.0.1. */
function makeCertificate(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:audit.example.com'];
  const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], { stdio: 'ignore' });
}

const keyOf = async (dataDir: string) => JSON.parse(await readFile(join(dataDir, 'access-keys', `${ACCOUNT}.json`), 'utf8'));
const cli = (...args: readonly string[]) =>
  run(aws!, [...args, '--ca-bundle', file('one.crt')], { env: clientEnvironment(server.url, key, REGION) });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-tls-'));
  for (const name of ['one', 'two']) makeCertificate(name);
  for (const end of ['crt', 'key']) await copyFile(file(`one.${end}`), file(`served.${end}`));
  const tls = ['--tls-cert', file('served.crt'), '--tls-key', file('served.key')];
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '500ms', ...tls] });
  key = await keyOf(server.dataDir);
});

afterAll(async () => {
  await server.stop();
  for (const path of [server.dataDir, folder]) await rm(path, { recursive: true, force: true });
});

describe('a server with a certificate', () => {
  test('serves TLS 1.2 and above to who trusts it, and nothing else', async () => {
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const port = Number(new URL(server.url).port);
    const shake = async (maxVersion: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => {
      const ciphers = maxVersion === 'TLSv1.1' ? { ciphers: 'DEFAULT@SECLEVEL=0', minVersion: maxVersion } : {};
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, maxVersion, ca: await readFile(file('one.crt')), ...ciphers });
      const outcome = await Promise.race([once(socket, 'secureConnect').then(() => socket.getProtocol()), once(socket, 'error')]).catch(
        () => 'refused',
      );
      socket.destroy();
      return typeof outcome === 'string' ? outcome : 'refused';
    };
    expect([await shake('TLSv1.1'), await shake('TLSv1.2'), await shake('TLSv1.3')]).toEqual(['refused', 'TLSv1.2', 'TLSv1.3']);
    const plain = connectPlain(port, '127.0.0.1');
    plain.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    let answer = '';
    plain.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1');
    });
    await Promise.race([once(plain, 'close'), once(plain, 'error')]).catch(() => undefined);
    expect(answer).not.toContain('HTTP/1.1 200');
  });

  test.skipIf(aws === undefined)('lets the AWS CLI and a trail through a bucket policy that demands TLS', async () => {
    const ok = async (...args: readonly string[]) => {
      const { code, stderr, stdout } = await cli(...args);
      expect([code, stderr]).toEqual([0, '']);
      return stdout;
    };
    await ok('s3api', 'create-bucket', '--bucket', BUCKET);
    await ok('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', POLICY);
    await ok('cloudtrail', 'create-trail', '--name', 'main', '--s3-bucket-name', BUCKET);
    await ok('cloudtrail', 'start-logging', '--name', 'main');
    await ok('cloudtrail', 'describe-trails');
    await vi.waitFor(
      async () => expect(await ok('s3api', 'list-objects-v2', '--bucket', BUCKET, '--query', 'Contents[].Key')).toContain('.json.gz'),
      { timeout: 30_000, interval: 500 },
    );
    expect(JSON.parse(await ok('cloudtrail', 'get-trail-status', '--name', 'main'))).not.toHaveProperty('LatestDeliveryError');
    const untrusted = await run(aws!, ['sts', 'get-caller-identity'], { env: clientEnvironment(server.url, key, REGION) });
    expect([untrusted.code === 0, /SSL|certificate/i.test(untrusted.stderr)]).toEqual([false, true]);
  });

  test('reads its certificate anew at a SIGHUP, and keeps the old one where the new one is none', async () => {
    const served = async () => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port), rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    expect(await served()).toBe('one');
    await copyFile(file('two.crt'), file('served.crt'));
    process.kill(server.pid, 'SIGHUP');
    await vi.waitFor(() => expect(server.stderr()).toContain('the old ones stay'), { timeout: 10_000 });
    expect(await served()).toBe('one');
    await copyFile(file('two.key'), file('served.key'));
    process.kill(server.pid, 'SIGHUP');
    await vi.waitFor(async () => expect(await served()).toBe('two'), { timeout: 10_000, interval: 100 });
    for (const end of ['crt', 'key']) await copyFile(file(`one.${end}`), file(`served.${end}`));
    process.kill(server.pid, 'SIGHUP');
    await vi.waitFor(async () => expect(await served()).toBe('one'), { timeout: 10_000, interval: 100 });
  });
});

describe('a server behind a proxy', () => {
  let behind: StartedServer;
  let proxy: Server;
  let ofProxy: { readonly accessKeyId: string; readonly secretAccessKey: string };
  const PUBLIC = 'https://audit.example.com';

  /** What a proxy that ends TLS does: it keeps `Host`, and adds to what it was told of the client. */
  function startProxy(target: string): Promise<Server> {
    const made = createServer((incoming, answer) => {
      const forwarded = incoming.headers['x-forwarded-for'];
      const headers = {
        ...incoming.headers,
        'x-forwarded-for': `${forwarded === undefined ? '' : `${String(forwarded)}, `}203.0.113.7`,
        'x-forwarded-proto': 'https',
      };
      const outgoing = plainRequest(target, { method: incoming.method, path: incoming.url, headers }, (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      });
      incoming.pipe(outgoing);
    });
    return new Promise((resolve) => made.listen(0, '127.0.0.1', () => resolve(made)));
  }

  /** A call that is signed for one host and sent to an address. @param request `more`: headers that are not signed */
  async function send(to: string, host: string, request: { method?: string; path: string; body?: string; more?: Record<string, string> }) {
    const { method = 'GET', path, body = '', more = {} } = request;
    const url = `${host}${path}`;
    const signed = signRequest(
      { method, url, headers: {} },
      { credentials: ofProxy, region: REGION, service: 's3', nowMs: Date.now(), payload: Buffer.from(body) },
    );
    const { protocol } = new URL(to);
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = (protocol === 'https:' ? tlsRequest : plainRequest)(
        `${to}${path}`,
        { method, headers: { ...signed.headers, ...more } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => {
            text += piece;
          });
          response.on('end', () => resolve({ status: response.statusCode!, text }));
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  const proxyUrl = () => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  beforeAll(async () => {
    behind = await startServer({ flags: ['--account-id', ACCOUNT, '--trusted-proxy', '127.0.0.1/32'] });
    ofProxy = await keyOf(behind.dataDir);
    proxy = await startProxy(behind.url);
    expect((await send(behind.url, behind.url, { method: 'PUT', path: `/${BUCKET}` })).status).toBe(200);
    expect((await send(behind.url, behind.url, { method: 'PUT', path: `/${BUCKET}?policy=`, body: POLICY })).status).toBe(204);
  });

  afterAll(async () => {
    proxy.close();
    await behind.stop();
    await rm(behind.dataDir, { recursive: true, force: true });
  });

  test('takes the signature for the public name, and counts what came by TLS as such', async () => {
    expect((await send(proxyUrl(), PUBLIC, { path: `/${BUCKET}` })).status).toBe(200);
    // The proxy passed over: nothing says that the client came by TLS.
    const direct = await send(behind.url, behind.url, { path: `/${BUCKET}` });
    expect([direct.status, direct.text.includes('AccessDenied')]).toEqual([403, true]);
  });

  test('records the client that the proxy names, and not what the client says of itself', async () => {
    const spoofed = { path: `/${BUCKET}?policy=`, more: { 'x-forwarded-for': '192.0.2.1' } };
    expect((await send(proxyUrl(), PUBLIC, spoofed)).status).toBe(200);
    const env = clientEnvironment(behind.url, ofProxy, REGION);
    if (aws === undefined) return;
    const looked = await run(aws, ['cloudtrail', 'lookup-events', '--max-results', '50'], { env });
    const records = (JSON.parse(looked.stdout).Events as { CloudTrailEvent: string }[]).map(({ CloudTrailEvent }) =>
      JSON.parse(CloudTrailEvent),
    );
    const made = records.filter(({ eventName }) => eventName === 'CreateBucket' || eventName === 'PutBucketPolicy');
    expect(made.map(({ sourceIPAddress }) => sourceIPAddress)).toEqual(['127.0.0.1', '127.0.0.1']);
    const read = records.filter(({ eventName }) => eventName === 'GetBucketPolicy');
    expect(read.map(({ sourceIPAddress }) => sourceIPAddress)).toEqual(['203.0.113.7']);
  });

  test('shows its metrics to nobody without a token: whoever comes by the proxy comes from this machine', async () => {
    expect((await fetch(`${behind.url}/metrics`)).status).toBe(401);
  });
});
