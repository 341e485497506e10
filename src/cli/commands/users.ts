/**
 * `snowtrail users`: the users of the caller's account.
 */
import type { Command } from 'commander';
import { xmlChild, xmlText } from '../../http/xml.ts';
import { Client } from '../client.ts';
import { confirm } from '../confirm.ts';
import { shortTime } from '../event-view.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { attachPolicies, collect, listAll, policiesOf, removePolicies, tagParameters } from '../identities.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';

interface CreateOptions extends GlobalOptions {
  readonly path?: string;
  readonly policy: readonly string[];
  readonly group: readonly string[];
  readonly tag: readonly string[];
}

export function addUsers(program: Command): void {
  const users = program.command('users').description('list, show, make and delete users of the account');
  addExamples(users, ['users list', 'users create alice --policy ReadOnlyAccess', 'users show alice']);
  users
    .command('list')
    .description('list the users')
    .action(async (_: object, self: Command) => listUsers(globalOptions(self)));
  users
    .command('show')
    .description('show what a user has: policies, groups, keys, second factors')
    .argument('<name>')
    .action(async (name: string, _: object, self: Command) => showUser(globalOptions(self), name));
  const create = users
    .command('create')
    .description('make a user, which may do nothing without a policy')
    .argument('<name>')
    .option('--policy <policy>', "its ARN, or a name of AWS's; may be repeated", collect, [])
    .option('--group <group>', 'may be repeated', collect, [])
    .option('--tag <key=value>', 'may be repeated', collect, [])
    .option('--path <path>', 'such as /staff/');
  addExamples(create, ['users create alice --policy ReadOnlyAccess --tag team=blue']);
  create.action(async (name: string, _: object, self: Command) => createUser(self.optsWithGlobals<CreateOptions>(), name));
  users
    .command('delete')
    .description('delete a user with its keys and policies')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, _: object, self: Command) =>
      deleteUser(self.optsWithGlobals<GlobalOptions & { readonly yes?: boolean }>(), name),
    );
}

async function listUsers(options: GlobalOptions): Promise<void> {
  outputForm(options);
  const found = await listAll(new Client(await findServer(options)), 'ListUsers', 'Users');
  const rows = found.map((user) => ({
    UserName: xmlText(user, 'UserName') ?? '',
    Arn: xmlText(user, 'Arn') ?? '',
    CreateDate: xmlText(user, 'CreateDate') ?? '',
  }));
  await printRows(
    options,
    [
      { heading: 'user', cell: (user) => user.UserName },
      { heading: 'arn', cell: (user) => user.Arn },
      { heading: 'created', cell: (user) => shortTime(user.CreateDate) },
    ],
    rows,
  );
}

async function showUser(options: GlobalOptions, name: string): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const input = { UserName: name };
  const user = xmlChild(await client.iam('GetUser', input), 'User')!;
  const { attached, inline } = await policiesOf(client, 'User', name);
  const groups = (await listAll(client, 'ListGroupsForUser', 'Groups', input)).map((group) => xmlText(group, 'GroupName') ?? '');
  const keys = (await listAll(client, 'ListAccessKeys', 'AccessKeyMetadata', input)).map((key) => ({
    AccessKeyId: xmlText(key, 'AccessKeyId') ?? '',
    Status: xmlText(key, 'Status') ?? '',
  }));
  const devices = (await listAll(client, 'ListMFADevices', 'MFADevices', input)).map((device) => xmlText(device, 'SerialNumber') ?? '');
  const shown = {
    UserName: name,
    UserId: xmlText(user, 'UserId') ?? '',
    Arn: xmlText(user, 'Arn') ?? '',
    CreateDate: xmlText(user, 'CreateDate') ?? '',
    AttachedPolicies: attached,
    InlinePolicies: inline,
    Groups: groups,
    AccessKeys: keys,
    MfaDevices: devices,
  };
  await printFacts(
    options,
    [
      ['User', shown.Arn],
      ['Id', shown.UserId],
      ['Created', shortTime(shown.CreateDate)],
      ['Policies', [...attached, ...inline].join(', ') || 'none'],
      ['Groups', groups.join(', ') || 'none'],
      ['Keys', keys.map(({ AccessKeyId, Status }) => `${AccessKeyId} (${Status.toLowerCase()})`).join(', ') || 'none'],
      ['MFA', devices.join(', ') || 'none'],
    ],
    shown,
  );
}

async function createUser(options: CreateOptions, name: string): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const made = await client.iam('CreateUser', {
    UserName: name,
    ...(options.path === undefined ? {} : { Path: options.path }),
    ...tagParameters(options.tag),
  });
  await attachPolicies(client, 'User', name, options.policy);
  for (const GroupName of options.group) await client.iam('AddUserToGroup', { UserName: name, GroupName });
  const arn = xmlText(xmlChild(made, 'User')!, 'Arn') ?? '';
  await printFacts(options, [['User', arn]], { UserName: name, Arn: arn });
  say(options, `next: snowtrail keys create --user ${safeText(name)}; undo: snowtrail users delete ${safeText(name)}`);
}

async function deleteUser(options: GlobalOptions & { readonly yes?: boolean }, name: string): Promise<void> {
  await confirm(`deleting user ${safeText(name)}`, name, options.yes ?? false);
  const client = new Client(await findServer(options));
  const input = { UserName: name };
  // Keys first: from then on nobody acts as the user.
  for (const key of await listAll(client, 'ListAccessKeys', 'AccessKeyMetadata', input))
    await client.iam('DeleteAccessKey', { ...input, AccessKeyId: xmlText(key, 'AccessKeyId') ?? '' });
  for (const device of await listAll(client, 'ListMFADevices', 'MFADevices', input))
    await client.iam('DeactivateMFADevice', { ...input, SerialNumber: xmlText(device, 'SerialNumber') ?? '' });
  for (const group of await listAll(client, 'ListGroupsForUser', 'Groups', input))
    await client.iam('RemoveUserFromGroup', { ...input, GroupName: xmlText(group, 'GroupName') ?? '' });
  await removePolicies(client, 'User', name);
  await client.iam('DeleteUser', input);
  say(options, `user ${safeText(name)} is deleted; what it did stays in the record`);
}
