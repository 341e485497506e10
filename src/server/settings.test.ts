import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BadSetting, readSettings, type SettingFlags } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'snowtrail-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a configuration file and gives back its path. */
function fileWith(text: string): string {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, text);
  return path;
}

/** Reads settings from a file of this text, and nothing else of the machine. */
function read(text: string, flags: SettingFlags = {}, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof readSettings> {
  return readSettings({ config: fileWith(text), ...flags }, environment);
}

/** A file about the identities of one account. */
function identitiesOf(section: string): string {
  return `identities: { "111111111111": { ${section} } }`;
}

describe('readSettings', () => {
  test('a certificate needs its key, and proxies are addresses and ranges', () => {
    expect(() => read('tlsCert: server.crt\n')).toThrow('`tlsCert` and `tlsKey` belong together');
    expect(() => read('trustedProxies: [proxy.internal]\n')).toThrow(/trustedProxies.*must be addresses or ranges/);
    expect(read('', { trustedProxies: '10.0.0.0/8, ::1' }).trustedProxies).toEqual(['10.0.0.0/8', '::1']);
    expect(read('').trustedProxies).toEqual([]);
  });

  test('defaults fill what nobody set, in milliseconds', () => {
    expect(read('')).toEqual({
      dataDir: './snowtrail-data',
      listen: '127.0.0.1:4620',
      trustedProxies: [],
      region: 'us-east-1',
      flushInterval: 5_000,
      digestInterval: 3_600_000,
      storage: { buckets: {}, keys: {} },
      identityProviders: { allow: [] },
      delivery: { subscribers: { allow: [] } },
      accounts: [],
      identities: {},
    });
  });

  test('a flag goes before the environment, the environment before the file', () => {
    const file = 'dataDir: from-file\nregion: eu-west-1\nflushInterval: 1s\n';
    const environment = { SNOWTRAIL_REGION: 'eu-west-2', SNOWTRAIL_FLUSH_INTERVAL: '2s' };
    expect(read(file, { flushInterval: '3s', region: undefined }, environment)).toMatchObject({
      dataDir: 'from-file',
      region: 'eu-west-2',
      flushInterval: 3_000,
    });
  });

  test('the token of /metrics comes from the file or the environment, not from an argument that others can read', () => {
    expect(read('metricsToken: from-file-0123456789').metricsToken).toBe('from-file-0123456789');
    expect(read('', {}, { SNOWTRAIL_METRICS_TOKEN: 'from-environment-01' }).metricsToken).toBe('from-environment-01');
  });

  describe('the SMTP server of mail to subscribers', () => {
    const smtp = (members: string, environment: NodeJS.ProcessEnv = {}) =>
      read(`delivery: { smtp: { host: smtp.example.com, from: audit@example.com${members} } }`, {}, environment);
    const secret = (text: string, mode = 0o600): string => {
      const path = join(folder, `secret-${mode.toString(8)}`);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    };

    test('needs a host and an address, and encrypts where nobody says otherwise', () => {
      expect(smtp('').delivery.smtp).toEqual({ host: 'smtp.example.com', from: 'audit@example.com', tls: 'starttls' });
      expect(() => smtp(', tls: maybe')).toThrow(BadSetting);
      expect(() => read('delivery: { smtp: { host: smtp.example.com, from: Audit <audit@example.com> } }')).toThrow(/delivery.smtp.from/);
    });

    test('its password comes from the environment or a file that only its owner reads', () => {
      const environment = { SNOWTRAIL_SMTP_PASSWORD: 'from environment' };
      expect(smtp(', user: audit', environment).smtpPassword).toBe('from environment');
      const path = secret('from file\n');
      expect(smtp(`, user: audit, passwordFile: ${path}`).smtpPassword).toBe('from file');
      expect(() => smtp(`, user: audit, passwordFile: ${path}`, environment)).toThrow('leave one of them out');
      expect(() => smtp(`, user: audit, passwordFile: ${secret('x', 0o640)}`)).toThrow('set its mode to 600');
      expect(() => smtp(`, user: audit, passwordFile: ${secret('x\ny\n')}`)).toThrow('one line');
      expect(() => smtp(`, user: audit, passwordFile: ${folder}/missing`)).toThrow('cannot be read');
    });

    test('a user and a password come together, and go over no open line', () => {
      expect(() => smtp(', user: audit')).toThrow('needs a password');
      expect(() => smtp('', { SNOWTRAIL_SMTP_PASSWORD: 'x' })).toThrow('a password needs a user');
      expect(() => smtp(', user: audit, tls: none', { SNOWTRAIL_SMTP_PASSWORD: 'x' })).toThrow('for all to read');
      const near = 'delivery: { smtp: { host: 127.0.0.1, from: audit@example.com, user: audit, tls: none } }';
      expect(read(near, {}, { SNOWTRAIL_SMTP_PASSWORD: 'x' }).smtpPassword).toBe('x');
    });
  });

  test('the file may be named by the environment', () => {
    expect(readSettings({}, { SNOWTRAIL_CONFIG: fileWith('region: eu-north-1') }).region).toBe('eu-north-1');
  });

  test('durations and sizes have units', () => {
    const settings = read('flushInterval: 500ms\ndigestInterval: 1.5m\nstorage: { reserve: 2 GiB }');
    expect(settings).toMatchObject({ flushInterval: 500, digestInterval: 90_000, storage: { reserve: 2 * 1024 ** 3 } });
  });

  test.each([
    ['flushIntreval: 5s', 'flushIntreval'],
    ['storage: { reserv: 1GiB }', 'reserv'],
    ['dataDir: ""', 'dataDir'],
    ['listen: nowhere', 'listen'],
    ['metricsToken: short', 'metricsToken'],
    ['listen: 127.0.0.1:65536', 'listen'],
    ['accountId: "12345"', 'accountId'],
    ['accountId: 123456789012', 'accountId'],
    ['region: "../etc"', 'region'],
    ['flushInterval: 0s', 'flushInterval'],
    ['flushInterval: soon', 'flushInterval'],
    ['digestInterval: 500ms', 'digestInterval'],
    ['digestInterval: 1500ms', 'digestInterval'],
    ['storage: { reserve: lots }', 'storage.reserve'],
    [
      'storage: { buckets: { far: { endpoint: nowhere, credentials: { accessKeyId: a, secretAccessKey: b } } } }',
      'storage.buckets.far.endpoint',
    ],
    ['storage: { buckets: { far: { endpoint: "http://127.0.0.1:1" } } }', 'storage.buckets.far.credentials'],
    [
      'storage: { keys: { "arn:aws:kms:us-east-1:": { endpoint: "http://127.0.0.1:1", credentials: { accessKeyId: a, secretAccessKey: b } } } }',
      'arn:aws:kms:REGION:ACCOUNT:',
    ],
    ['storage: { keys: { "arn:aws:kms:us-east-1:111122223333:": { endpoint: "http://127.0.0.1:1" } } }', 'credentials'],
    ['accounts: [{ id: 222222222222 }]', 'accounts.0.id'],
    ['accounts: [{ id: "222222222222", nmae: audit }]', 'nmae'],
    ['identities: { 000000000000: {} }', 'identities.0: must be twelve digits, in quotes'],
    [identitiesOf('users: { "a b": {} }'), 'identities.111111111111.users.a b: must be 1 to 64 letters'],
    [identitiesOf(`users: { ${'a'.repeat(65)}: {} }`), 'must be 1 to 64 letters'],
    [identitiesOf('users: { alice: { polices: [reader] } }'), 'identities.111111111111.users.alice'],
    [identitiesOf('users: { alice: { policies: ["not a name"] } }'), 'identities.111111111111.users.alice.policies.0'],
    [identitiesOf('users: { alice: { accessKey: { secret: open } } }'), 'identities.111111111111.users.alice.accessKey'],
    [identitiesOf('groups: { staff: { path: staff } }'), 'identities.111111111111.groups.staff.path'],
    [identitiesOf('roles: { auditor: {} }'), 'identities.111111111111.roles.auditor.trust'],
    [identitiesOf('policies: { reader: "{" }'), 'identities.111111111111.policies.reader'],
    [
      identitiesOf('policies: { reader: { Statement: { Effect: Alow, Action: "s3:*", Resource: "*" } } }'),
      'identities.111111111111.policies.reader: ',
    ],
    ['organization: { accounts: [audit] }', 'organization.accounts.0'],
  ])('`%s` refuses to start and names `%s` (F62)', (text, setting) => {
    expect(() => read(text)).toThrow(BadSetting);
    expect(() => read(text)).toThrow(setting);
  });

  test('a policy is YAML or JSON text, and a user may have nothing but a name', () => {
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };
    const text = JSON.stringify(document);
    const yaml = `Version: 2012-10-17\n        Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]`;
    const { identities } = read(
      `identities:\n  "111111111111":\n    policies:\n      one:\n        ${yaml}\n      two: '${text}'\n    users:\n      alice:\n`,
    );
    expect(identities).toEqual({
      '111111111111': {
        policies: { one: text, two: text },
        groups: {},
        users: { alice: { policies: [], inline: {}, tags: {}, groups: [], accessKey: false } },
        roles: {},
      },
    });
  });

  test('all broken settings are named at once, wherever they come from (F62)', () => {
    const reading = () => read('region: "no region"', { listen: 'nowhere' }, { SNOWTRAIL_ACCOUNT_ID: '1' });
    for (const name of ['region', 'listen', 'accountId']) expect(reading).toThrow(`  ${name}: `);
  });

  test.each([
    ['[1, 2]', 'must hold settings by name'],
    ['just words', 'must hold settings by name'],
    ['a: [', 'is not YAML'],
    [identitiesOf('users: { __proto__: { accessKey: true } }'), 'it holds the name `__proto__`'],
  ])('a file of `%s` refuses to start and names the file (F62)', (text, reason) => {
    expect(() => read(text)).toThrow(BadSetting);
    expect(() => read(text)).toThrow(new RegExp(`config\\.yaml.*${reason}`));
  });

  test('a file that was asked for and is not there refuses to start (F62)', () => {
    expect(() => readSettings({ config: join(folder, 'missing.yaml') }, {})).toThrow(/missing\.yaml.* cannot be read/);
  });

  test('a clock file is refused where others can reach the server', () => {
    for (const listen of ['0.0.0.0:4620', '[::]:4620', '192.0.2.1:4620', '127.example.com:4620'])
      expect(() => read('', { clock: 'clock', listen })).toThrow(/clock .*loopback/);
    for (const listen of ['127.0.0.1:4620', '[::1]:4620', 'localhost:0']) expect(read('', { clock: 'clock', listen }).clock).toBe('clock');
  });

  test('a server without authentication is refused where others can reach it, and is no setting of a file or the environment', () => {
    for (const listen of ['0.0.0.0:4620', '[::]:4620', '192.0.2.1:4620', '127.example.com:4620'])
      expect(() => read('', { noAuth: 'true', listen })).toThrow(/--no-auth .*loopback/);
    expect(read('', { noAuth: 'true' }).noAuth).toBe('true');
    expect(() => read('trustedProxies: [10.0.0.0/8]\n', { noAuth: 'true' })).toThrow(/--no-auth .*`trustedProxies`/);
    expect(() => read('noAuth: true\n')).toThrow(/flag of the command line alone/);
    expect(read('', {}, { SNOWTRAIL_NO_AUTH: 'true' }).noAuth).toBeUndefined();
  });
});
