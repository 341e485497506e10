import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from './exit.ts';
import { findServer } from './find-server.ts';

const FIRST = '111111111111';
const SERVER = { url: 'http://127.0.0.1:4620', accountId: FIRST, region: 'eu-central-1' };
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 'env-secret' };

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'snowtrail-find-'));
  await mkdir(join(dataDir, 'access-keys'));
  await writeFile(join(dataDir, 'server.json'), JSON.stringify(SERVER));
  for (const account of [FIRST, '222222222222']) {
    const key = { account, accessKeyId: `AKIA${account}`, secretAccessKey: `secret of ${account}` };
    await writeFile(join(dataDir, 'access-keys', `${account}.json`), JSON.stringify(key));
  }
});
afterEach(() => rm(dataDir, { recursive: true }));

describe('findServer', () => {
  test('a data directory gives the server and the key of its first account, or of the one asked for', async () => {
    const first = {
      url: SERVER.url,
      region: 'eu-central-1',
      accessKeyId: `AKIA${FIRST}`,
      secretAccessKey: `secret of ${FIRST}`,
      account: FIRST,
    };
    expect(await findServer({ dataDir }, {})).toEqual({ ...first, dataDir });
    expect(await findServer({}, { SNOWTRAIL_DATA_DIR: dataDir })).toEqual({ ...first, dataDir });
    expect(await findServer({ dataDir, account: '222222222222', region: 'us-west-2' }, {})).toMatchObject({
      account: '222222222222',
      accessKeyId: 'AKIA222222222222',
      region: 'us-west-2',
    });
  });

  test('an endpoint flag goes first, then the data directory, then the endpoint of the environment', async () => {
    const environment = { ...KEYS, AWS_ENDPOINT_URL: 'http://127.0.0.1:2' };
    expect((await findServer({ endpoint: 'http://127.0.0.1:1/', dataDir }, environment)).url).toBe('http://127.0.0.1:1');
    expect((await findServer({ dataDir }, environment)).url).toBe(SERVER.url);
    expect(await findServer({}, environment)).toEqual({
      url: 'http://127.0.0.1:2',
      region: 'us-east-1',
      accessKeyId: 'AKIAENV',
      secretAccessKey: 'env-secret',
    });
  });

  test('a server that does not run, and a key that is not kept, are said with what to do', async () => {
    const otherKey = findServer({ dataDir, account: '333333333333' }, {});
    await expect(otherKey).rejects.toThrow(UsageError);
    await expect(otherKey).rejects.toThrow(/no key of account 333333333333; it has keys of: 111111111111, 222222222222/);
    await rm(join(dataDir, 'server.json'));
    await expect(findServer({ dataDir }, {})).rejects.toThrow(/no server runs on .*snowtrail start --data-dir/);
    await mkdir(join(dataDir, 'server.json'));
    await expect(findServer({ dataDir }, {})).rejects.toThrow(/cannot be looked into \(EISDIR\); .* the user that runs the server/);
  });

  test('an account is never passed over: with an endpoint its key is not known, which is refused', async () => {
    const byFlag = findServer({ endpoint: SERVER.url, account: '222222222222' }, KEYS);
    await expect(byFlag).rejects.toThrow(/--account takes a key out of a data directory, .* found by --endpoint; pass --data-dir instead/);
    const byEnvironment = findServer({ account: '222222222222' }, { ...KEYS, AWS_ENDPOINT_URL: SERVER.url });
    await expect(byEnvironment).rejects.toThrow(/found by AWS_ENDPOINT_URL; pass --data-dir, or the credentials of account 222222222222/);
  });

  test.each(['127.0.0.1:4620', 'ftp://localhost', 'http://', 'http:///x'])('the endpoint `%s` is no URL of a server', async (endpoint) => {
    await expect(findServer({ endpoint }, KEYS)).rejects.toThrow(/is not the URL of a server; expected one such as http:/);
  });

  test('a profile that was asked for goes before the keys of the environment', async () => {
    const file = join(dataDir, 'credentials');
    await writeFile(
      file,
      '[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = d\n\n[ work ]\r\naws_access_key_id=AKIAWORK\r\naws_secret_access_key = w=w/+\r\naws_session_token = t\r\n',
    );
    const environment = { ...KEYS, AWS_SHARED_CREDENTIALS_FILE: file };
    const endpoint = SERVER.url;
    expect(await findServer({ endpoint, profile: 'work' }, environment)).toEqual({
      url: endpoint,
      region: 'us-east-1',
      accessKeyId: 'AKIAWORK',
      secretAccessKey: 'w=w/+',
      sessionToken: 't',
    });
    expect((await findServer({ endpoint }, environment)).accessKeyId).toBe('AKIAENV');
    expect((await findServer({ endpoint }, { AWS_SHARED_CREDENTIALS_FILE: file })).accessKeyId).toBe('AKIADEFAULT');
    await expect(findServer({ endpoint, profile: 'nobody' }, environment)).rejects.toThrow('no AWS credentials found in profile `nobody`;');
  });
});
