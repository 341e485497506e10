/**
 * Writes `src/api/model.generated.ts`: the shapes, constraints and errors of CloudTrail's two services in one table.
 *
 * Run by hand when the models change: `node scripts/generate-model.mjs BOTOCORE_DATA_FOLDER`, where the folder is
 * `python3 -c "import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), 'data'))"`.
 * Sources: botocore's `service-2.json` of `cloudtrail` 2013-11-01 and `cloudtrail-data` 2021-08-11 (members, constraints,
 * declared errors), and the schemas of `@aws-sdk/client-cloudtrail` (HTTP statuses, and members that are newer than
 * botocore, such as `RecursiveLogging`). Both are Apache-2.0; only names, types and numbers are taken, no text.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node scripts/generate-model.mjs BOTOCORE_DATA_FOLDER');

const sdk = { ...(await import('@aws-sdk/client-cloudtrail')) };

const shapes = new Map();
const operations = new Map();
const errors = new Map();
const newerMembers = [];

addService(readModel('cloudtrail/2013-11-01'), '');
// The data service reuses shape names with other meanings, so its shapes get a prefix.
addService(readModel('cloudtrail-data/2021-08-11'), 'Data.');
addNewerMembers();
write();

function readModel(path) {
  const plain = join(folder, path, 'service-2.json');
  return JSON.parse(existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`)));
}

function addService(model, prefix) {
  const { signingName, endpointPrefix } = model.metadata;
  const service = signingName ?? endpointPrefix;
  for (const [name, { input, output, errors: declared = [] }] of Object.entries(model.operations)) {
    operations.set(name, {
      service,
      input: addShape(model, input?.shape, prefix),
      output: addShape(model, output?.shape, prefix),
      errors: declared.map(({ shape }) => shape),
    });
  }
  for (const [name, shape] of Object.entries(model.shapes)) {
    if (shape.exception && !errors.has(name)) errors.set(name, sdkError(name) ?? { status: 400 });
  }
}

/** Adds a shape and all that it refers to; returns its name. */
function addShape(model, name, prefix) {
  if (name === undefined) return undefined;
  const key = prefix + name;
  if (shapes.has(key)) return key;
  const { type, required, members, member, key: mapKey, value, min, max, pattern, enum: values } = model.shapes[name];
  const shape = { type };
  shapes.set(key, shape);
  if (members !== undefined) {
    shape.members = Object.fromEntries(
      Object.entries(members).map(([memberName, { shape: of }]) => [memberName, addShape(model, of, prefix)]),
    );
    const query = Object.keys(members).filter((memberName) => members[memberName].location === 'querystring');
    if (query.length > 0) shape.query = query;
  }
  if (required !== undefined && required.length > 0) shape.required = required;
  if (member !== undefined) shape.member = addShape(model, member.shape, prefix);
  if (mapKey !== undefined) shape.key = addShape(model, mapKey.shape, prefix);
  if (value !== undefined) shape.value = addShape(model, value.shape, prefix);
  if (min !== undefined) shape.min = min;
  if (max !== undefined) shape.max = max;
  if (values !== undefined) shape.enum = values;
  if (pattern !== undefined && isUsable(pattern)) shape.pattern = pattern;
  return key;
}

/** Java patterns that JavaScript reads the same way. `(?s)` becomes a flag; a reversed range is dropped. */
function isUsable(pattern) {
  try {
    new RegExp(pattern.replace(/^\(\?s\)/, ''));
    return true;
  } catch {
    console.warn(`pattern left out: ${pattern}`);
    return false;
  }
}

/** HTTP status and legacy name of an exception, as the SDK's schema has them. */
function sdkError(name) {
  const traits = sdk[`${name}$`]?.[3];
  if (traits?.httpError === undefined) return undefined;
  return { status: traits.httpError, queryCode: traits.awsQueryError[0] };
}

/** Members of the SDK's structures that botocore's do not have. */
function addNewerMembers() {
  const simple = { 0: 'string', 1: 'integer', 2: 'boolean' };
  const named = { string: 'String', integer: 'Integer', boolean: 'Boolean' };
  for (const [name, shape] of shapes) {
    const schema = sdk[`${name}$`];
    if (shape.type !== 'structure' || schema === undefined) continue;
    const [, , , , memberNames, memberTypes] = schema;
    memberNames.forEach((memberName, index) => {
      if (memberName in shape.members) return;
      const type = simple[memberTypes[index]];
      if (type === undefined) throw new Error(`member ${name}.${memberName} has a type that this script does not know`);
      shape.members[memberName] = named[type];
      if (!shapes.has(named[type])) shapes.set(named[type], { type });
      newerMembers.push(`${name}.${memberName}`);
    });
  }
}

function write() {
  const lines = (entries) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},`);
  const text = [
    '/**',
    ' * Shapes, constraints and errors of CloudTrail and CloudTrail Data. Made by `scripts/generate-model.mjs`; not edited by hand.',
    ` * From botocore cloudtrail 2013-11-01 and cloudtrail-data 2021-08-11, and @aws-sdk/client-cloudtrail (newer members: ${newerMembers.join(', ')}).`,
    ' */',
    "import type { ApiModel } from './model-types.ts';",
    '',
    'export const generatedModel: ApiModel = {',
    '  operations: {',
    ...lines(operations),
    '  },',
    '  shapes: {',
    ...lines(shapes),
    '  },',
    '  errors: {',
    ...lines(errors),
    '  },',
    '};',
    '',
  ];
  writeFileSync(fileURLToPath(new URL('../src/api/model.generated.ts', import.meta.url)), text.join('\n'));
  console.log(`${operations.size} operations, ${shapes.size} shapes, ${errors.size} errors, newer members: ${newerMembers.join(', ')}`);
}
