/**
 * The query protocol's way of writing structures: parameters with dotted names in, elements of an XML document out.
 *
 * A list comes as `Tags.member.1.Key=…`, a map as `Attributes.entry.1.key=…`; what the model does not have is dropped, as in
 * `validate-input.ts`. Values are checked for their type first, then for what the model demands of them.
 *
 * Untrusted input; its size was limited before.
 * Source: AWS query protocol (Smithy 2.0, "AWS query protocol").
 */
import { ApiError } from './api-error.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { shapeOf } from './model.ts';
import type { QueryServiceModel, Shape, StructureShape } from './model-types.ts';
import { findShapeProblems, type ModelObject, type ModelValue, problemsMessage, structureOf } from './validate-input.ts';

/** Parameters as a tree: `Tags.member.1.Key` lies at `Tags`, `member`, `1`, `Key`. */
interface Node {
  text?: string;
  readonly children: Map<string, Node>;
}

/** Deeper than any input of the models. */
const DEPTH_MAX = 10;

/**
 * The input of an operation from its parameters.
 * @throws ApiError MalformedInput for a value of the wrong type, ValidationError for one that the model does not allow.
 */
export function decodeQuery(service: QueryServiceModel, operation: string, parameters: Readonly<Record<string, string>>): ModelObject {
  const model = Object.hasOwn(service.operations, operation) ? service.operations[operation] : undefined;
  // An operation that is not built has no input here: it is refused by its name.
  const shape = structureOf(model?.input);
  const input = decodeStructure(shape, treeOf(parameters), '');
  const problems = findShapeProblems(shape, input);
  if (problems.length === 0) return input;
  throw new ApiError('ValidationError', problemsMessage(problems), { status: 400 });
}

function treeOf(parameters: Readonly<Record<string, string>>): Node {
  const root: Node = { children: new Map() };
  for (const [name, text] of Object.entries(parameters)) {
    const steps = name.split('.', DEPTH_MAX + 1);
    if (steps.length > DEPTH_MAX) throw malformed(name, 'is nested too deep');
    let node = root;
    for (const step of steps) {
      let child = node.children.get(step);
      if (child === undefined) {
        child = { children: new Map() };
        node.children.set(step, child);
      }
      node = child;
    }
    node.text = text;
  }
  return root;
}

function decodeStructure(shape: StructureShape, node: Node, path: string): ModelObject {
  const decoded: Record<string, ModelValue> = {};
  for (const [name, shapeName] of Object.entries(shape.members)) {
    const child = node.children.get(name);
    if (child !== undefined) decoded[name] = decodeNode(shapeOf(shapeName), child, path === '' ? name : `${path}.${name}`);
  }
  return decoded;
}

function decodeNode(shape: Shape, node: Node, path: string): ModelValue {
  if (shape.type === 'structure') return decodeStructure(shape, node, path);
  if (shape.type === 'list') {
    // An empty list comes as a parameter without a value.
    const members = node.children.get('member')?.children ?? new Map<string, Node>();
    return inOrder(members, path).map((item, index) => decodeNode(shapeOf(shape.member), item, `${path}.member.${index + 1}`));
  }
  if (shape.type === 'map') {
    const entries = inOrder(node.children.get('entry')?.children ?? new Map<string, Node>(), path);
    const pairs = entries.map((entry) => {
      const [key, value] = [entry.children.get('key'), entry.children.get('value')];
      if (key?.text === undefined || value === undefined) throw malformed(path, 'needs a key and a value for each entry');
      return [key.text, decodeNode(shapeOf(shape.value), value, `${path}.${key.text}`)] as const;
    });
    // `fromEntries` makes own members of whatever name the client chose (A47).
    return Object.fromEntries(pairs);
  }
  if (node.text === undefined) throw malformed(path, 'is a single value');
  return decodeText(shape, node.text, path);
}

function inOrder(items: ReadonlyMap<string, Node>, path: string): readonly Node[] {
  const numbered = [...items].map(([number, item]) => {
    if (!/^[1-9]\d{0,5}$/.test(number)) throw malformed(path, 'is numbered from 1');
    return { number: Number(number), item };
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ item }) => item);
}

function decodeText(shape: Exclude<Shape, { readonly type: 'structure' | 'list' | 'map' }>, text: string, path: string): ModelValue {
  switch (shape.type) {
    case 'string':
      return text;
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true';
      throw malformed(path, 'is `true` or `false`');
    case 'integer':
    case 'long':
    case 'float':
    case 'double': {
      const isNumber =
        shape.type === 'integer' || shape.type === 'long' ? /^-?\d{1,15}$/.test(text) : /^-?\d{1,15}(\.\d{1,15})?$/.test(text);
      if (!isNumber) throw malformed(path, 'is a number');
      return Number(text);
    }
    case 'timestamp': {
      const date = new Date(text);
      if (Number.isNaN(date.getTime())) throw malformed(path, 'is a time in ISO 8601');
      return date;
    }
    case 'blob': {
      const bytes = decodeBase64(text);
      if (bytes === undefined) throw malformed(path, 'is base64 text');
      return bytes;
    }
  }
}

function malformed(path: string, expected: string): ApiError {
  return new ApiError('MalformedInput', `\`${path.slice(0, 128)}\` ${expected}`, { status: 400 });
}

/** What an element of the answer holds: text, elements by name, several elements of one name. */
export type QueryAnswer = string | readonly QueryAnswer[] | { readonly [name: string]: QueryAnswer };

/**
 * The elements of an operation's result; `null` for one whose model has no output.
 * @throws Error when the output has a member that the model does not, which is a bug of the operation.
 */
export function encodeQuery(service: QueryServiceModel, operation: string, output: object): QueryAnswer | null {
  const name = service.operations[operation]?.output;
  return name === undefined ? null : encodeStructure(structureOf(name), output as ModelObject, operation);
}

function encodeStructure(shape: StructureShape, output: ModelObject, path: string): QueryAnswer {
  return Object.fromEntries(
    Object.entries(output).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const shapeName = shape.members[name];
      if (shapeName === undefined) throw new Error(`the output \`${path}\` has no member \`${name}\``);
      return [[name, encodeNode(shapeOf(shapeName), value, `${path}.${name}`)]];
    }),
  );
}

function encodeNode(shape: Shape, value: ModelValue, path: string): QueryAnswer {
  switch (shape.type) {
    case 'structure':
      return encodeStructure(shape, value as ModelObject, path);
    case 'list':
      return { member: (value as readonly ModelValue[]).map((item) => encodeNode(shapeOf(shape.member), item, path)) };
    case 'map':
      return {
        entry: Object.entries(value as ModelObject).map(([key, item]) => ({ key, value: encodeNode(shapeOf(shape.value), item!, path) })),
      };
    case 'timestamp':
      return `${(value as Date).toISOString().slice(0, 19)}Z`;
    case 'blob':
      return encodeBase64(value as Uint8Array);
    default:
      return String(value);
  }
}
