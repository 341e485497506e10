/**
 * `snowtrail keys`: access keys of an account: the caller's own, or with `--for` another one's, for administrators.
 */
import type { Command } from 'commander';
import type { AccessKey } from '../access-key.ts';
import { Client } from '../client.ts';
import { confirm } from '../confirm.ts';
import { shortTime } from '../event-view.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';

interface KeyOptions extends GlobalOptions {
  readonly for?: string;
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
  return command.option('--for <account>', "account of the key (default: the caller's own)");
}

async function listKeys(options: KeyOptions): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
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
  const { AccessKey: key } = await client.call<{ AccessKey: AccessKey }>('CreateAccessKey', accountOf(options));
  await printFacts(
    options,
    [
      ['Account', key.Account],
      ['Access key', key.AccessKeyId],
      ['Secret', key.SecretAccessKey],
    ],
    key,
  );
  say(options, `the secret is shown this once: keep it safe; undo: snowtrail keys delete ${key.AccessKeyId}${flagOf(options)}`);
}

async function setStatus(options: KeyOptions, keyId: string, status: KeyInfo['Status']): Promise<void> {
  const client = new Client(await findServer(options));
  await client.call('UpdateAccessKey', { ...accountOf(options), AccessKeyId: keyId, Status: status });
  const undo = status === 'Active' ? 'deactivate' : 'activate';
  say(options, `key ${safeText(keyId)} is ${status.toLowerCase()}; undo: snowtrail keys ${undo} ${safeText(keyId)}${flagOf(options)}`);
}

async function deleteKey(options: KeyOptions, keyId: string): Promise<void> {
  await confirm(`deleting key ${safeText(keyId)}`, keyId, options.yes ?? false);
  const client = new Client(await findServer(options));
  await client.call('DeleteAccessKey', { ...accountOf(options), AccessKeyId: keyId });
  say(options, `key ${safeText(keyId)} is deleted; next: snowtrail keys create${flagOf(options)}`);
}

function accountOf(options: KeyOptions): { readonly Account?: string } {
  return options.for === undefined ? {} : { Account: options.for };
}

/** The flag as it is to be typed again. */
function flagOf(options: KeyOptions): string {
  return options.for === undefined ? '' : ` --for ${safeText(options.for)}`;
}
