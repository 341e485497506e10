/**
 * `snowtrail keys`: access keys of the root of an account: the caller's own, or with `--for` another one's, for administrators; with
 * `--user`, those of a user.
 */
import type { Command } from 'commander';
import { xmlChild, xmlText } from '../../http/xml.ts';
import type { AccessKey } from '../access-key.ts';
import { Client } from '../client.ts';
import { confirm } from '../confirm.ts';
import { shortTime } from '../event-view.ts';
import { UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { listAll } from '../identities.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';

interface KeyOptions extends GlobalOptions {
  readonly for?: string;
  readonly user?: string;
  readonly yes?: boolean;
}

interface KeyInfo {
  readonly Account: string;
  readonly AccessKeyId: string;
  readonly Status: 'Active' | 'Inactive';
  readonly CreateDate: string;
}

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('list, make, deactivate and delete access keys');
  addExamples(keys, ['keys list', 'keys create --for 111122223333', 'keys deactivate AKIAEXAMPLEEXAMPLE12']);
  withAccount(keys.command('list').description('list the keys of an account, without secrets')).action(async (_: object, self: Command) =>
    listKeys(self.optsWithGlobals<KeyOptions>()),
  );
  withAccount(keys.command('create').description('make a further key; its secret is shown this once')).action(
    async (_: object, self: Command) => createKey(self.optsWithGlobals<KeyOptions>()),
  );
  for (const [verb, status] of [
    ['activate', 'Active'],
    ['deactivate', 'Inactive'],
  ] as const) {
    withAccount(
      keys
        .command(verb)
        .description(status === 'Active' ? 'let a key be used again' : 'refuse a key from now on (within 5 seconds)')
        .argument('<key>', 'access key id'),
    ).action(async (keyId: string, _: object, self: Command) => setStatus(self.optsWithGlobals<KeyOptions>(), keyId, status));
  }
  withAccount(keys.command('delete').description('delete a key for good').argument('<key>', 'access key id'))
    .option('-y, --yes', 'do not ask')
    .action(async (keyId: string, _: object, self: Command) => deleteKey(self.optsWithGlobals<KeyOptions>(), keyId));
}

function withAccount(command: Command): Command {
  return command
    .option('--for <account>', "account of the key (default: the caller's own)")
    .option('--user <name>', "user of the caller's account whose key it is");
}

/** The user that is meant; `undefined` for the keys of a root. @throws UsageError */
function userOf({ user, for: account }: KeyOptions): string | undefined {
  if (user !== undefined && account !== undefined) throw new UsageError("--user names a user of the caller's own account: leave --for out");
  return user;
}

async function listKeys(options: KeyOptions): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const user = userOf(options);
  if (user !== undefined) return listUserKeys(options, client, user);
  const { AccessKeys } = await client.call<{ AccessKeys: readonly KeyInfo[] }>('ListAccessKeys', accountOf(options));
  await printRows(
    options,
    [
      { heading: 'account', cell: (key) => key.Account },
      { heading: 'access key', cell: (key) => key.AccessKeyId },
      { heading: 'status', cell: (key) => key.Status },
      { heading: 'created', cell: (key) => shortTime(key.CreateDate) },
    ],
    AccessKeys,
  );
}

async function createKey(options: KeyOptions): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const user = userOf(options);
  const key = user === undefined ? await createRootKey(client, options) : await createUserKey(client, user);
  await printFacts(
    options,
    [
      'UserName' in key ? ['User', key.UserName] : ['Account', key.Account],
      ['Access key', key.AccessKeyId],
      ['Secret', key.SecretAccessKey],
    ],
    key,
  );
  say(options, `the secret is shown this once: keep it safe; undo: snowtrail keys delete ${key.AccessKeyId}${flagOf(options)}`);
}

async function createRootKey(client: Client, options: KeyOptions): Promise<AccessKey> {
  return (await client.call<{ AccessKey: AccessKey }>('CreateAccessKey', accountOf(options))).AccessKey;
}

async function createUserKey(client: Client, UserName: string) {
  const key = xmlChild(await client.iam('CreateAccessKey', { UserName }), 'AccessKey')!;
  return { UserName, AccessKeyId: xmlText(key, 'AccessKeyId') ?? '', SecretAccessKey: xmlText(key, 'SecretAccessKey') ?? '' };
}

async function listUserKeys(options: KeyOptions, client: Client, UserName: string): Promise<void> {
  const found = await listAll(client, 'ListAccessKeys', 'AccessKeyMetadata', { UserName });
  const rows = found.map((key) => ({
    UserName,
    AccessKeyId: xmlText(key, 'AccessKeyId') ?? '',
    Status: xmlText(key, 'Status') ?? '',
    CreateDate: xmlText(key, 'CreateDate') ?? '',
  }));
  await printRows(
    options,
    [
      { heading: 'user', cell: (key) => key.UserName },
      { heading: 'access key', cell: (key) => key.AccessKeyId },
      { heading: 'status', cell: (key) => key.Status },
      { heading: 'created', cell: (key) => shortTime(key.CreateDate) },
    ],
    rows,
  );
}

async function setStatus(options: KeyOptions, keyId: string, status: KeyInfo['Status']): Promise<void> {
  const client = new Client(await findServer(options));
  const user = userOf(options);
  if (user === undefined) await client.call('UpdateAccessKey', { ...accountOf(options), AccessKeyId: keyId, Status: status });
  else await client.iam('UpdateAccessKey', { UserName: user, AccessKeyId: keyId, Status: status });
  const undo = status === 'Active' ? 'deactivate' : 'activate';
  say(options, `key ${safeText(keyId)} is ${status.toLowerCase()}; undo: snowtrail keys ${undo} ${safeText(keyId)}${flagOf(options)}`);
}

async function deleteKey(options: KeyOptions, keyId: string): Promise<void> {
  await confirm(`deleting key ${safeText(keyId)}`, keyId, options.yes ?? false);
  const client = new Client(await findServer(options));
  const user = userOf(options);
  if (user === undefined) await client.call('DeleteAccessKey', { ...accountOf(options), AccessKeyId: keyId });
  else await client.iam('DeleteAccessKey', { UserName: user, AccessKeyId: keyId });
  say(options, `key ${safeText(keyId)} is deleted; next: snowtrail keys create${flagOf(options)}`);
}

function accountOf(options: KeyOptions): { readonly Account?: string } {
  return options.for === undefined ? {} : { Account: options.for };
}

/** The flag as it is to be typed again. */
function flagOf(options: KeyOptions): string {
  if (options.user !== undefined) return ` --user ${safeText(options.user)}`;
  return options.for === undefined ? '' : ` --for ${safeText(options.for)}`;
}
