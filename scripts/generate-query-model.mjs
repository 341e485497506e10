/**
 * Writes `src/api/query-model.generated.ts`: inputs and outputs of the operations of IAM and STS that this server has, and the names
 * of those that it has not.
 *
 * Run by hand when the models change or an operation is added: `node scripts/generate-query-model.mjs BOTOCORE_DATA_FOLDER`
 * (`generate-model.mjs` says where that is). Only names, types and numbers are taken, no text. Shapes get the service's name as a
 * prefix: both services use the same names for different things.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node scripts/generate-query-model.mjs BOTOCORE_DATA_FOLDER');

const kinds = ['User', 'Group', 'Role'];
const IAM = [
  ...['Create', 'Get', 'Update', 'Delete'].flatMap((verb) => kinds.map((kind) => `${verb}${kind}`)),
  ...kinds.flatMap((kind) => ['Put', 'Get', 'Delete'].map((verb) => `${verb}${kind}Policy`)),
  ...kinds.flatMap((kind) => [`List${kind}s`, `List${kind}Policies`, `ListAttached${kind}Policies`]),
  ...kinds.flatMap((kind) => [`Attach${kind}Policy`, `Detach${kind}Policy`]),
  ...['User', 'Role'].flatMap((kind) => [`Tag${kind}`, `Untag${kind}`, `List${kind}Tags`]),
  ...['User', 'Role'].flatMap((kind) => [`Put${kind}PermissionsBoundary`, `Delete${kind}PermissionsBoundary`]),
  ...['AddUserToGroup', 'RemoveUserFromGroup', 'ListGroupsForUser', 'UpdateAssumeRolePolicy', 'GetAccountSummary'],
  ...['CreatePolicy', 'GetPolicy', 'ListPolicies', 'DeletePolicy', 'ListEntitiesForPolicy'],
  ...['CreatePolicyVersion', 'GetPolicyVersion', 'ListPolicyVersions', 'DeletePolicyVersion', 'SetDefaultPolicyVersion'],
  ...['CreateAccessKey', 'ListAccessKeys', 'UpdateAccessKey', 'DeleteAccessKey', 'GetAccessKeyLastUsed'],
  ...[
    'CreateVirtualMFADevice',
    'EnableMFADevice',
    'DeactivateMFADevice',
    'DeleteVirtualMFADevice',
    'ListMFADevices',
    'ListVirtualMFADevices',
  ],
  ...['Create', 'Get', 'Delete'].map((verb) => `${verb}OpenIDConnectProvider`),
  ...['ListOpenIDConnectProviders', 'ListInstanceProfilesForRole'],
];
const STS = ['GetCallerIdentity', 'AssumeRole', 'AssumeRoleWithWebIdentity', 'GetSessionToken'];

const shapes = new Map();
const services = { iam: readService('iam/2010-05-08', 'iam', IAM), sts: readService('sts/2011-06-15', 'sts', STS) };
write();

function readService(path, prefix, wanted) {
  const plain = join(folder, path, 'service-2.json');
  const model = JSON.parse(existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`)));
  const operations = wanted.map((name) => {
    const { input, output } = model.operations[name];
    return [name, { input: addShape(model, input?.shape, prefix), output: addShape(model, output?.shape, prefix) }];
  });
  return { operations, names: Object.keys(model.operations) };
}

/** Adds a shape and all that it refers to; returns its name. */
function addShape(model, name, prefix) {
  if (name === undefined) return undefined;
  const key = `${prefix}.${name}`;
  if (shapes.has(key)) return key;
  const { type, required, members, member, key: mapKey, value, min, max, pattern, enum: values } = model.shapes[name];
  const shape = { type };
  shapes.set(key, shape);
  if (members !== undefined)
    shape.members = Object.fromEntries(Object.entries(members).map(([of, { shape: to }]) => [of, addShape(model, to, prefix)]));
  if (required !== undefined && required.length > 0) shape.required = required;
  if (member !== undefined) shape.member = addShape(model, member.shape, prefix);
  if (mapKey !== undefined) shape.key = addShape(model, mapKey.shape, prefix);
  if (value !== undefined) shape.value = addShape(model, value.shape, prefix);
  if (min !== undefined) shape.min = min;
  if (max !== undefined) shape.max = max;
  if (values !== undefined) shape.enum = values;
  if (pattern !== undefined) shape.pattern = pattern;
  return key;
}

function write() {
  const line = ([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},`;
  const sorted = (entries) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const service = (name) => [
    `  ${name}: {`,
    '    operations: {',
    ...sorted(services[name].operations).map((entry) => `  ${line(entry)}`),
    '    },',
    `    names: ${JSON.stringify(services[name].names)},`,
    '  },',
  ];
  const text = [
    '/**',
    ' * Shapes of IAM (2010-05-08) and STS (2011-06-15). Made by `scripts/generate-query-model.mjs` from botocore; not edited by hand.',
    ' */',
    "import type { QueryModel } from './model-types.ts';",
    '',
    'export const generatedQueryModel: QueryModel = {',
    ...service('iam'),
    ...service('sts'),
    '  shapes: {',
    ...sorted(shapes).map(line),
    '  },',
    '};',
    '',
  ];
  writeFileSync(fileURLToPath(new URL('../src/api/query-model.generated.ts', import.meta.url)), text.join('\n'));
  console.log(`${services.iam.operations.length + services.sts.operations.length} operations, ${shapes.size} shapes`);
}
