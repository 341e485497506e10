/**
 * `snowtrail roles`: the roles of the caller's account.
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { xmlChild, xmlText } from '../../http/xml.ts';
import { Client } from '../client.ts';
import { confirm } from '../confirm.ts';
import { shortTime } from '../event-view.ts';
import { UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { attachPolicies, collect, listAll, policiesOf, removePolicies, tagParameters } from '../identities.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';

interface CreateOptions extends GlobalOptions {
  readonly trust?: string;
  readonly trustAccount?: string;
  readonly path?: string;
  readonly policy: readonly string[];
  readonly tag: readonly string[];
}

export function addRoles(program: Command): void {
  const roles = program.command('roles').description('list, show, make and delete roles of the account');
  addExamples(roles, ['roles list', 'roles create audit --trust-account 111122223333', 'roles show audit']);
  roles
    .command('list')
    .description('list the roles')
    .action(async (_: object, self: Command) => listRoles(globalOptions(self)));
  roles
    .command('show')
    .description('show who may assume a role, and its policies')
    .argument('<name>')
    .action(async (name: string, _: object, self: Command) => showRole(globalOptions(self), name));
  const create = roles
    .command('create')
    .description('make a role, for those whom its trust policy lets in')
    .argument('<name>')
    .option('--trust <file>', 'trust policy, as JSON')
    .option('--trust-account <account>', 'account whose own policies say who may assume it')
    .option('--policy <policy>', "its ARN, or a name of AWS's; may be repeated", collect, [])
    .option('--tag <key=value>', 'may be repeated', collect, [])
    .option('--path <path>', 'such as /ci/');
  addExamples(create, ['roles create audit --trust-account 111122223333']);
  create.action(async (name: string, _: object, self: Command) => createRole(self.optsWithGlobals<CreateOptions>(), name));
  roles
    .command('delete')
    .description('delete a role with its policies; its sessions end at once')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, _: object, self: Command) =>
      deleteRole(self.optsWithGlobals<GlobalOptions & { readonly yes?: boolean }>(), name),
    );
}

async function listRoles(options: GlobalOptions): Promise<void> {
  outputForm(options);
  const found = await listAll(new Client(await findServer(options)), 'ListRoles', 'Roles');
  const rows = found.map((role) => ({
    RoleName: xmlText(role, 'RoleName') ?? '',
    Arn: xmlText(role, 'Arn') ?? '',
    CreateDate: xmlText(role, 'CreateDate') ?? '',
  }));
  await printRows(
    options,
    [
      { heading: 'role', cell: (role) => role.RoleName },
      { heading: 'arn', cell: (role) => role.Arn },
      { heading: 'created', cell: (role) => shortTime(role.CreateDate) },
    ],
    rows,
  );
}

async function showRole(options: GlobalOptions, name: string): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const role = xmlChild(await client.iam('GetRole', { RoleName: name }), 'Role')!;
  const { attached, inline } = await policiesOf(client, 'Role', name);
  const trust = decodeURIComponent(xmlText(role, 'AssumeRolePolicyDocument') ?? '');
  const shown = {
    RoleName: name,
    RoleId: xmlText(role, 'RoleId') ?? '',
    Arn: xmlText(role, 'Arn') ?? '',
    CreateDate: xmlText(role, 'CreateDate') ?? '',
    AssumeRolePolicyDocument: trust,
    MaxSessionDuration: Number(xmlText(role, 'MaxSessionDuration')),
    AttachedPolicies: attached,
    InlinePolicies: inline,
  };
  await printFacts(
    options,
    [
      ['Role', shown.Arn],
      ['Id', shown.RoleId],
      ['Created', shortTime(shown.CreateDate)],
      ['Sessions', `${shown.MaxSessionDuration} s at most`],
      ['Policies', [...attached, ...inline].join(', ') || 'none'],
      ['Trust', trust],
    ],
    shown,
  );
}

async function createRole(options: CreateOptions, name: string): Promise<void> {
  outputForm(options);
  const trust = await trustPolicy(options);
  const client = new Client(await findServer(options));
  const made = await client.iam('CreateRole', {
    RoleName: name,
    AssumeRolePolicyDocument: trust,
    ...(options.path === undefined ? {} : { Path: options.path }),
    ...tagParameters(options.tag),
  });
  await attachPolicies(client, 'Role', name, options.policy);
  const arn = xmlText(xmlChild(made, 'Role')!, 'Arn') ?? '';
  await printFacts(options, [['Role', arn]], { RoleName: name, Arn: arn });
  say(options, `next: aws sts assume-role --role-arn ${arn} --role-session-name NAME; undo: snowtrail roles delete ${safeText(name)}`);
}

async function trustPolicy({ trust, trustAccount }: CreateOptions): Promise<string> {
  if ((trust === undefined) === (trustAccount === undefined))
    throw new UsageError('say who may assume the role, by one of --trust FILE and --trust-account ACCOUNT');
  if (trust !== undefined)
    return readFile(trust, 'utf8').catch((cause: Error) => {
      throw new UsageError(`the trust policy \`${trust}\` cannot be read: ${cause.message}`);
    });
  const Principal = { AWS: `arn:aws:iam::${trustAccount}:root` };
  const Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action }] });
}

async function deleteRole(options: GlobalOptions & { readonly yes?: boolean }, name: string): Promise<void> {
  await confirm(`deleting role ${safeText(name)}`, name, options.yes ?? false);
  const client = new Client(await findServer(options));
  await removePolicies(client, 'Role', name);
  await client.iam('DeleteRole', { RoleName: name });
  say(options, `role ${safeText(name)} is deleted; what was done with it stays in the record`);
}
