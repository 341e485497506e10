/**
 * `snowtrail accounts`: lists and makes accounts. Only a key of the first account makes them.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AccessKey } from '../access-key.ts';
import { Client } from '../client.ts';
import { shortTime } from '../event-view.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';

interface Account {
  readonly Account: string;
  readonly Name: string;
  readonly CreateDate: string;
}

export function addAccounts(program: Command): void {
  const accounts = program.command('accounts').description('list and make accounts');
  addExamples(accounts, ['accounts list', 'accounts create 111122223333 --name staging']);
  accounts
    .command('list')
    .description('list the accounts that the key may see')
    .action(async (_: object, self: Command) => {
      const options = globalOptions(self);
      outputForm(options);
      const client = new Client(await findServer(options));
      const { Accounts } = await client.call<{ Accounts: readonly Account[] }>('ListAccounts');
      await printRows(
        options,
        [
          { heading: 'account', cell: (account) => account.Account },
          { heading: 'name', cell: (account) => account.Name, widthMax: 40 },
          { heading: 'created', cell: (account) => shortTime(account.CreateDate) },
        ],
        Accounts,
      );
    });
  const create = accounts
    .command('create')
    .description('make an account and its first access key, which is shown this once')
    .argument('<account>', 'twelve digits')
    .option('--name <name>', 'what people call it');
  addExamples(create, ['accounts create 111122223333 --name staging']);
  create.action(async (account: string, _: object, self: Command) => {
    await createAccount(self.optsWithGlobals<GlobalOptions & { readonly name?: string }>(), account);
  });
}

async function createAccount(options: GlobalOptions & { readonly name?: string }, account: string): Promise<void> {
  outputForm(options);
  const access = await findServer(options);
  const input = { Account: account, ...(options.name !== undefined && { Name: options.name }) };
  const created = await new Client(access).call<{ AccessKey: AccessKey }>('CreateAccount', input);
  const key = created.AccessKey;
  await printFacts(
    options,
    [
      ['Account', key.Account],
      ['Access key', key.AccessKeyId],
      ['Secret', key.SecretAccessKey],
    ],
    created,
  );
  // The server keeps an account's first key in its data directory: ours to name when it was found by that.
  if (access.dataDir === undefined) say(options, 'the secret is shown this once: keep it safe');
  else
    say(
      options,
      `the key is kept in ${join(access.dataDir, 'access-keys', `${key.Account}.json`)}; next: eval "$(snowtrail env --account ${account} --data-dir ${access.dataDir})"`,
    );
}
