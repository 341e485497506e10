/**
 * Turns the JSON of a request into an operation's input, and an operation's output into the JSON of the answer.
 *
 * Two steps that can be taken apart. `decodeInput` looks at types only: unknown members are dropped (newer clients send
 * members that older servers do not know), `null` counts as absent, timestamps become `Date`, blobs become bytes; a
 * value of the wrong type is a `SerializationException`. `checkConstraints` then looks at what the model demands:
 * required, ranges, lengths, patterns, enums. Where the operation declares an exception for the member, it is that one
 * (`InvalidMaxResultsException`), else `InvalidParameterException` where it declares that one, else `ValidationException`; all in the
 * words of the service's front end.
 *
 * Untrusted input; depth and size of the JSON were limited before.
 * Source: cloudtrail.md §0.1, §7, §13; the generated model.
 */
import type { Json, JsonObject } from '../event/types.ts';
import { ApiError } from './api-error.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { operationModel, shapeOf } from './model.ts';
import type { NumberShape, Shape, StringShape, StructureShape } from './model-types.ts';

/** A value in the shape of the model: what JSON has, and `Date` for timestamps, `Uint8Array` for blobs. */
export type ModelValue =
  | boolean
  | number
  | string
  | Date
  | Uint8Array
  | readonly ModelValue[]
  | { readonly [member: string]: ModelValue | undefined };
export type ModelObject = { readonly [member: string]: ModelValue | undefined };

// --- decoding -----------------------------------------------------------------------------------------------------

/**
 * The input of an operation, with the members that its shape has.
 *
 * @param operation A wire name of the model.
 * @throws ApiError `SerializationException` for a value of the wrong type, `UnknownOperationException` for a name that
 *   the model does not have.
 */
export function decodeInput(operation: string, json: Json): ModelObject {
  const shape = inputShape(operation);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw serializationError('the body', 'an object', json);
  return decodeStructure(shape, json as JsonObject, '');
}

function decodeStructure(shape: StructureShape, json: JsonObject, path: string): ModelObject {
  const decoded: Record<string, ModelValue> = {};
  for (const [name, shapeName] of Object.entries(shape.members)) {
    const value = Object.hasOwn(json, name) ? json[name] : undefined;
    if (value === undefined || value === null) continue;
    decoded[name] = decodeValue(shapeOf(shapeName), value, path === '' ? name : `${path}.${name}`);
  }
  return decoded;
}

function decodeValue(shape: Shape, json: Json, path: string): ModelValue {
  switch (shape.type) {
    case 'structure':
      if (!isObject(json)) throw serializationError(path, 'an object', json);
      return decodeStructure(shape, json, path);
    case 'list':
      if (!Array.isArray(json)) throw serializationError(path, 'a list', json);
      return json.map((item: Json, index) => decodeValue(shapeOf(shape.member), item, `${path}[${index}]`));
    case 'map':
      if (!isObject(json)) throw serializationError(path, 'an object', json);
      // `fromEntries` makes own members of whatever name the client chose (A47).
      return Object.fromEntries(
        Object.entries(json).map(([key, value]) => [key, decodeValue(shapeOf(shape.value), value ?? null, `${path}.${key}`)]),
      );
    case 'string':
      if (typeof json !== 'string') throw serializationError(path, 'a text', json);
      return json;
    case 'boolean':
      if (typeof json !== 'boolean') throw serializationError(path, 'true or false', json);
      return json;
    case 'integer':
    case 'long':
      if (
        typeof json !== 'number' ||
        !Number.isSafeInteger(json) ||
        (shape.type === 'integer' && (json < -0x80000000 || json > 0x7fffffff))
      ) {
        throw serializationError(path, 'a whole number', json);
      }
      return json;
    case 'float':
    case 'double':
      if (typeof json !== 'number' || !Number.isFinite(json)) throw serializationError(path, 'a number', json);
      return json;
    case 'timestamp':
      return decodeTimestamp(json, path);
    case 'blob': {
      const bytes = typeof json === 'string' ? decodeBase64(json) : undefined;
      if (bytes === undefined) throw serializationError(path, 'base64 text', json);
      return bytes;
    }
  }
}

/** Epoch seconds, fraction allowed; cut to whole milliseconds. */
function decodeTimestamp(json: Json, path: string): Date {
  const date = typeof json === 'number' ? new Date(Math.round(json * 1000)) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) throw serializationError(path, 'a time in seconds since 1970', json);
  return date;
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function serializationError(path: string, expected: string, json: Json): ApiError {
  return new ApiError('SerializationException', `\`${path}\` is ${kindOf(json)}; ${expected} is expected`);
}

function kindOf(json: Json): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object') return 'an object';
  return typeof json === 'string' ? 'a text' : `\`${String(json)}\``;
}

// --- constraints --------------------------------------------------------------------------------------------------

/** One value that breaks the model. */
export interface ConstraintProblem {
  /** The member of the input that the value is in, such as `LookupAttributes`. */
  readonly member: string;
  /** Where, in the service's way: `lookupAttributes.1.member.attributeValue`. */
  readonly path: string;
  /** In the service's words: `Value '51' at 'maxResults' failed to satisfy constraint: …`. */
  readonly message: string;
}

/** What in a decoded input breaks the model, in the order of the model's members; empty when nothing does. */
export function findProblems(operation: string, input: ModelObject): readonly ConstraintProblem[] {
  return findShapeProblems(inputShape(operation), input);
}

/** As `findProblems`, for a structure of any service's model. */
export function findShapeProblems(shape: StructureShape, input: ModelObject): readonly ConstraintProblem[] {
  return Object.keys(shape.members).flatMap((member) => {
    const problems: ConstraintProblem[] = [];
    const report = (path: string, value: ModelValue | undefined, constraint: string) => {
      const shown = value === undefined ? 'null' : `'${describe(value)}'`;
      problems.push({ member, path, message: `Value ${shown} at '${path}' failed to satisfy constraint: ${constraint}` });
    };
    checkMember(shape, member, input, '', report);
    return problems;
  });
}

/**
 * Checks a decoded input against the model's constraints.
 *
 * @throws ApiError with the exception that the operation declares for the first member that breaks one.
 */
export function checkConstraints(operation: string, input: ModelObject): void {
  const problems = findProblems(operation, input);
  const first = problems[0];
  if (first === undefined) return;
  const declared = operationModel(operation)?.errors ?? [];
  const own = exceptionsOf(operation, first.member).find((code) => declared.includes(code));
  if (own !== undefined) throw new ApiError(own, first.message);
  const code = declared.includes('InvalidParameterException') ? 'InvalidParameterException' : 'ValidationException';
  throw new ApiError(code, problemsMessage(problems));
}

/** Problems that a refusal tells: a megabyte of wrong members must not become a longer answer, and a longer record. */
const TOLD_MAX = 50;

/** All of them in the service's words, but for those that are too many. */
export function problemsMessage(problems: readonly ConstraintProblem[]): string {
  const told = problems.slice(0, TOLD_MAX).map(({ message }) => message);
  const more = problems.length > TOLD_MAX ? [`and ${problems.length - TOLD_MAX} more`] : [];
  return `${problems.length} validation error${problems.length === 1 ? '' : 's'} detected: ${[...told, ...more].join('; ')}`;
}

function exceptionsOf(operation: string, member: string): readonly string[] {
  const name = inputShape(operation).members[member]!;
  const shape = shapeOf(name);
  // Event data stores are named by members of many names, and by one name (`Destinations`) that is another thing elsewhere.
  const isStore = (shape.type === 'list' ? shape.member : name) === 'EventDataStoreArn';
  return isStore ? ['EventDataStoreARNInvalidException'] : (EXCEPTIONS_OF_MEMBER.get(member) ?? []);
}

/** Exceptions that say more than that some parameter is invalid: the first that the operation declares. */
const EXCEPTIONS_OF_MEMBER: ReadonlyMap<string, readonly string[]> = new Map([
  ['AdvancedEventSelectors', ['InvalidEventSelectorsException']],
  ['Channel', ['ChannelARNInvalidException']],
  ['channelArn', ['InvalidChannelARN']],
  ['EventCategory', ['InvalidEventCategoryException']],
  ['EventSelectors', ['InvalidEventSelectorsException']],
  ['ImportSource', ['InvalidImportSourceException']],
  ['InsightSelectors', ['InvalidInsightSelectorsException']],
  ['KmsKeyId', ['InvalidKmsKeyIdException']],
  ['LookupAttributes', ['InvalidLookupAttributesException']],
  ['MaxQueryResults', ['InvalidMaxResultsException']],
  ['MaxResults', ['InvalidMaxResultsException']],
  // Other operations name other things.
  ['Name', ['InvalidTrailNameException']],
  ['NextToken', ['InvalidNextTokenException', 'InvalidTokenException']],
  ['QueryStatement', ['InvalidQueryStatementException']],
  ['QueryStatus', ['InvalidQueryStatusException']],
  ['ResourceArn', ['ResourceARNNotValidException']],
  ['ResourceId', ['CloudTrailARNInvalidException']],
  ['ResourceIdList', ['CloudTrailARNInvalidException']],
  ['ResourcePolicy', ['ResourcePolicyNotValidException']],
  ['S3BucketName', ['InvalidS3BucketNameException']],
  ['S3KeyPrefix', ['InvalidS3PrefixException']],
  ['Source', ['InvalidSourceException']],
  ['Tags', ['InvalidTagParameterException']],
  ['TagsList', ['InvalidTagParameterException']],
  ['TrailName', ['InvalidTrailNameException']],
  ['trailNameList', ['InvalidTrailNameException']],
]);

type Report = (path: string, value: ModelValue | undefined, constraint: string) => void;

function checkMember(shape: StructureShape, name: string, object: ModelObject, parent: string, report: Report): void {
  const path = parent + lowerFirst(name);
  const value = object[name];
  if (value !== undefined) checkValue(shapeOf(shape.members[name]!), value, path, report);
  else if (shape.required?.includes(name)) report(path, undefined, 'Member must not be null');
}

function checkValue(shape: Shape, value: ModelValue, path: string, report: Report): void {
  switch (shape.type) {
    case 'structure':
      for (const name of Object.keys(shape.members)) checkMember(shape, name, value as ModelObject, `${path}.`, report);
      break;
    case 'list': {
      const items = value as readonly ModelValue[];
      checkLength(shape, items.length, () => report(path, value, lengthWords(shape, items.length)));
      items.forEach((item, index) => {
        checkValue(shapeOf(shape.member), item, `${path}.${index + 1}.member`, report);
      });
      break;
    }
    case 'map': {
      const entries = Object.entries(value as ModelObject);
      checkLength(shape, entries.length, () => report(path, value, lengthWords(shape, entries.length)));
      for (const [key, item] of entries) {
        checkValue(shapeOf(shape.key), key, path, report);
        if (item !== undefined) checkValue(shapeOf(shape.value), item, `${path}.${key}.member`, report);
      }
      break;
    }
    case 'string':
      checkText(shape, value as string, path, report);
      break;
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      checkLength(shape, value as number, () => report(path, value, rangeWords(shape, value as number)));
      break;
    default:
  }
}

function checkText(shape: StringShape, text: string, path: string, report: Report): void {
  checkLength(shape, text.length, () => report(path, text, lengthWords(shape, text.length)));
  if (shape.enum !== undefined && !shape.enum.includes(text))
    report(path, text, `Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  if (shape.pattern !== undefined && !matches(shape.pattern, text)) {
    report(path, text, `Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
}

/** The patterns are the model's, none is a client's; all are linear. The whole text must match, as in Java. */
function matches(pattern: string, text: string): boolean {
  const source = pattern.replace(/^\(\?s\)/, '');
  // Classes of Unicode, such as `\p{L}`, are classes only with the flag.
  return new RegExp(`^(?:${source})$`, source.includes('\\p{') ? 'u' : source === pattern ? '' : 's').test(text);
}

function checkLength(bounds: { readonly min?: number; readonly max?: number }, size: number, fail: () => void): void {
  if (size < (bounds.min ?? Number.NEGATIVE_INFINITY) || size > (bounds.max ?? Number.POSITIVE_INFINITY)) fail();
}

function lengthWords(bounds: { readonly min?: number; readonly max?: number }, size: number): string {
  return size < (bounds.min ?? 0)
    ? `Member must have length greater than or equal to ${bounds.min}`
    : `Member must have length less than or equal to ${bounds.max}`;
}

function rangeWords(bounds: NumberShape, value: number): string {
  return value < (bounds.min ?? Number.NEGATIVE_INFINITY)
    ? `Member must have value greater than or equal to ${bounds.min}`
    : `Member must have value less than or equal to ${bounds.max}`;
}

/** An untrusted value in a message: cut short, without line ends. */
function describe(value: ModelValue): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const line = text.replace(/[\x00-\x1f\x7f]/g, ' ');
  return line.length > 128 ? `${line.slice(0, 128)}…` : line;
}

function lowerFirst(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}

function inputShape(operation: string): StructureShape {
  const model = operationModel(operation);
  if (model === undefined) throw new ApiError('UnknownOperationException', `the operation \`${operation.slice(0, 128)}\` does not exist`);
  return structureOf(model.input);
}

const EMPTY: StructureShape = { type: 'structure', members: {} };

/** The structure of a name that the model itself gave; the empty one for none. */
export function structureOf(name: string | undefined): StructureShape {
  const shape = name === undefined ? EMPTY : shapeOf(name);
  if (shape.type !== 'structure') throw new Error(`the shape \`${name}\` is no structure`);
  return shape;
}

// --- encoding -----------------------------------------------------------------------------------------------------

/**
 * The JSON of an operation's output: dates as epoch seconds, bytes as base64, absent members left out.
 *
 * @throws Error when the output does not have the shape that the model gives it, which is a bug of the operation.
 */
export function encodeOutput(operation: string, output: object): JsonObject {
  const model = operationModel(operation);
  if (model === undefined) throw new Error(`the model has no operation \`${operation}\``);
  return encodeStructure(structureOf(model.output), output as ModelObject, operation);
}

function encodeStructure(shape: StructureShape, output: ModelObject, path: string): JsonObject {
  const encoded: Record<string, Json> = {};
  for (const [name, value] of Object.entries(output)) {
    if (value === undefined) continue;
    const shapeName = shape.members[name];
    if (shapeName === undefined) throw new Error(`the output \`${path}\` has no member \`${name}\``);
    encoded[name] = encodeValue(shapeOf(shapeName), value, `${path}.${name}`);
  }
  return encoded;
}

function encodeValue(shape: Shape, value: ModelValue, path: string): Json {
  switch (shape.type) {
    case 'structure':
      return encodeStructure(shape, expect(value, isPlainObject(value), path), path);
    case 'list': {
      const items: readonly ModelValue[] = expect(value, Array.isArray(value), path);
      return items.map((item, index) => encodeValue(shapeOf(shape.member), item, `${path}[${index}]`));
    }
    case 'map': {
      const entries = Object.entries(expect<ModelObject>(value, isPlainObject(value), path));
      return Object.fromEntries(
        entries.flatMap(([key, item]) => (item === undefined ? [] : [[key, encodeValue(shapeOf(shape.value), item, `${path}.${key}`)]])),
      );
    }
    case 'timestamp':
      return expect<Date>(value, value instanceof Date && !Number.isNaN(value.getTime()), path).getTime() / 1000;
    case 'blob':
      return encodeBase64(expect(value, value instanceof Uint8Array, path));
    case 'string':
      return expect(value, typeof value === 'string', path);
    case 'boolean':
      return expect(value, typeof value === 'boolean', path);
    default:
      return expect(value, typeof value === 'number' && Number.isFinite(value), path);
  }
}

function isPlainObject(value: ModelValue): boolean {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array);
}

/** The value as the type that its shape has. */
function expect<Value extends ModelValue>(value: ModelValue, isExpected: boolean, path: string): Value {
  if (!isExpected) throw new Error(`the output \`${path}\` does not have the type of its shape`);
  return value as Value;
}
