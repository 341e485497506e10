/**
 * Every constraint of the operations of CloudTrail and CloudTrail Data, each with one request that breaks it and nothing else.
 *
 * Made of the model alone: which exception a broken member is told by is said here anew, from what each exception is for
 * (cloudtrail.md §13) and by the model's shapes, so that the server is not judged by its own table.
 */
import { errorModel, operationModel, operationNames, shapeOf } from '../../src/api/model.ts';
import type { Shape, StringShape, StructureShape } from '../../src/api/model-types.ts';
import type { Json, JsonObject } from '../../src/event/types.ts';

/** A request, and what it must be answered. */
export interface BrokenRequest {
  readonly operation: string;
  /** What is broken, and where: `MaxResults is above its greatest value`. */
  readonly title: string;
  readonly input: JsonObject;
  readonly code: string;
  readonly status: number;
  /** What the message holds, in any case of letters: the member. */
  readonly names: string;
}

/** A request that is as far out as its constraint allows. */
export interface BorderRequest {
  readonly operation: string;
  readonly title: string;
  readonly input: JsonObject;
}

const STORE = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';
const ARN = 'arn:aws:cloudtrail:eu-central-1:123837392027';

/** Values that mean something, for members whose form the model does not tell. */
const SAMPLES: Readonly<Record<string, Json>> = {
  Channel: STORE,
  channelArn: `${ARN}:channel/${STORE}`,
  EventDataStore: STORE,
  EventDataStores: [STORE],
  InsightSource: `${ARN}:trail/main`,
  ResourceArn: `${ARN}:channel/${STORE}`,
  ResourceId: `${ARN}:trail/main`,
  ResourceIdList: [`${ARN}:trail/main`],
  ResourcePolicy: JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 'cloudtrail-data:PutAuditEvents', Resource: `${ARN}:channel/${STORE}` }],
  }),
  S3BucketName: 'no-such-bucket',
  Source: 'Custom',
};

/** Texts of which one has the form that a pattern asks for. */
const TEXTS = [
  'main',
  '123456789012',
  STORE,
  'ec2.amazonaws.com',
  's3://bucket/prefix',
  '12:30',
  'a',
  'arn:aws:iam::123837392027:role/x',
  '1234567890',
];
/** Texts of which one has no form that a pattern asks for. */
const ODD_TEXTS = ['!', '\n', 'é', ' ', '/', 'a'];

/** What each exception is for, by member and shape; where an operation declares none of these, it says `InvalidParameterException`. */
const MEANINGS: readonly (readonly [exception: string, about: (member: string, shape: string) => boolean])[] = [
  ['InvalidTrailNameException', (member) => /^(Name|TrailName|trailNameList)$/.test(member)],
  ['EventDataStoreARNInvalidException', (_, shape) => elementShape(shape) === 'EventDataStoreArn'],
  ['ChannelARNInvalidException', (_, shape) => shape === 'ChannelArn'],
  ['InvalidChannelARN', (_, shape) => shape === 'Data.ChannelArn'],
  ['CloudTrailARNInvalidException', (member) => /^ResourceId(List)?$/.test(member)],
  ['ResourceARNNotValidException', (_, shape) => shape === 'ResourceArn'],
  ['ResourcePolicyNotValidException', (_, shape) => shape === 'ResourcePolicy'],
  ['InvalidEventSelectorsException', (member) => /EventSelectors$/.test(member)],
  ['InvalidInsightSelectorsException', (member) => member === 'InsightSelectors'],
  ['InvalidMaxResultsException', (member) => /^Max(Query)?Results$/.test(member)],
  ['InvalidNextTokenException', (member) => member === 'NextToken'],
  ['InvalidTokenException', (member) => member === 'NextToken'],
  ['InvalidEventCategoryException', (member) => member === 'EventCategory'],
  ['InvalidLookupAttributesException', (member) => member === 'LookupAttributes'],
  ['InvalidQueryStatementException', (_, shape) => shape === 'QueryStatement'],
  ['InvalidQueryStatusException', (_, shape) => shape === 'QueryStatus'],
  ['InvalidKmsKeyIdException', (member) => member === 'KmsKeyId'],
  ['InvalidS3BucketNameException', (member) => member === 'S3BucketName'],
  ['InvalidS3PrefixException', (member) => member === 'S3KeyPrefix'],
  ['InvalidSourceException', (_, shape) => shape === 'Source'],
  ['InvalidImportSourceException', (member) => member === 'ImportSource'],
  ['InvalidTagParameterException', (_, shape) => shape === 'TagsList'],
];

function elementShape(name: string): string {
  const shape = shapeOf(name);
  return shape.type === 'list' ? shape.member : name;
}

function expectedCode(operation: string, member: string): string {
  const declared = operationModel(operation)!.errors;
  const shapeName = inputOf(operation).members[member]!;
  const own = MEANINGS.find(([exception, isAbout]) => declared.includes(exception) && isAbout(member, shapeName));
  return own?.[0] ?? (declared.includes('InvalidParameterException') ? 'InvalidParameterException' : 'ValidationException');
}

function inputOf(operation: string): StructureShape {
  const { input } = operationModel(operation)!;
  return input === undefined ? { type: 'structure', members: {} } : (shapeOf(input) as StructureShape);
}

/** An input that keeps the model: what is required, and no more. */
export function wellFormedInput(operation: string): JsonObject {
  return sampleStructure(inputOf(operation));
}

function sampleStructure(shape: StructureShape): JsonObject {
  return Object.fromEntries((shape.required ?? []).map((member) => [member, sample(shape.members[member]!, member)]));
}

function sample(name: string, member = ''): Json {
  const shape = shapeOf(name);
  const known = SAMPLES[member];
  switch (shape.type) {
    case 'structure':
      return sampleStructure(shape);
    case 'list':
      return known ?? Array.from({ length: shape.min ?? 0 }, () => sample(shape.member));
    case 'map':
      return {};
    case 'string':
      return known ?? sampleText(shape, shape.min ?? 0);
    case 'boolean':
      return true;
    case 'timestamp':
      return 1_758_679_867;
    case 'blob':
      return '';
    default:
      return shape.min ?? 1;
  }
}

/** A text of the shape, at least so long. */
function sampleText(shape: StringShape, length: number): string {
  if (shape.enum !== undefined) return shape.enum[0]!;
  const max = shape.max ?? Number.POSITIVE_INFINITY;
  const found = TEXTS.flatMap((text) => [text, text.padEnd(length, text.at(-1)), text.padStart(length, text[0]), text.slice(0, max)]).find(
    (text) => text.length >= length && text.length <= Math.max(max, length) && hasForm(shape, text),
  );
  if (found === undefined) throw new Error(`no sample has the form \`${shape.pattern}\` and ${length} letters`);
  return found;
}

function hasForm({ pattern = '' }: StringShape, text: string): boolean {
  if (pattern === '') return true;
  const flags = pattern.startsWith('(?s)') ? 's' : '';
  return new RegExp(`^(?:${pattern.replace('(?s)', '')})$`, flags).test(text);
}

/** A place in an operation's input. */
interface Place {
  readonly operation: string;
  /** The member of the input that it is in. */
  readonly member: string;
  readonly path: string;
  /** The input with a value there, or without one. */
  readonly put: (value: Json | undefined) => JsonObject;
}

interface Found {
  readonly place: Place;
  readonly shapeName: string;
  readonly isRequired: boolean;
  /** Sent in the query string, where everything is a text. */
  readonly isText: boolean;
}

function placesOf(operation: string): readonly Found[] {
  const input = inputOf(operation);
  return Object.keys(input.members).flatMap((member) => {
    const put = (value: Json | undefined) => withMember(wellFormedInput(operation), member, value);
    const found = {
      place: { operation, member, path: member, put },
      shapeName: input.members[member]!,
      isRequired: input.required?.includes(member) ?? false,
      isText: input.query?.includes(member) ?? false,
    };
    return [found, ...placesBelow(found)];
  });
}

function placesBelow({ place, shapeName }: Found): readonly Found[] {
  const shape = shapeOf(shapeName);
  const below = (name: string, path: string, wrap: (value: Json | undefined) => Json, isRequired = false): readonly Found[] => {
    const found: Found = {
      place: { ...place, path, put: (value) => place.put(wrap(value)) },
      shapeName: name,
      isRequired,
      isText: false,
    };
    return [found, ...placesBelow(found)];
  };
  switch (shape.type) {
    case 'structure':
      return Object.entries(shape.members).flatMap(([member, name]) =>
        below(
          name,
          `${place.path}.${member}`,
          (value) => withMember(sampleStructure(shape), member, value),
          shape.required?.includes(member) ?? false,
        ),
      );
    case 'list': {
      const rest = Array.from({ length: Math.max(0, (shape.min ?? 0) - 1) }, () => sample(shape.member));
      return below(shape.member, `${place.path}[]`, (value) => [...(value === undefined ? [] : [value]), ...rest]);
    }
    case 'map': {
      const key = sample(shape.key) as string;
      const ofKeys = {
        ...place,
        path: `${place.path} (key)`,
        put: (value: Json | undefined) => place.put({ [value as string]: sample(shape.value) }),
      };
      return [
        { place: ofKeys, shapeName: shape.key, isRequired: false, isText: true },
        ...below(shape.value, `${place.path}.*`, (value) => ({ [key]: value ?? null })),
      ];
    }
    default:
      return [];
  }
}

function withMember(object: JsonObject, member: string, value: Json | undefined): JsonObject {
  const { [member]: _, ...rest } = object;
  return value === undefined ? rest : { ...rest, [member]: value };
}

/** All requests that break one constraint. */
export function brokenRequests(): readonly BrokenRequest[] {
  return operationNames().flatMap((operation) => placesOf(operation).flatMap(breakPlace));
}

function breakPlace({ place, shapeName, isRequired, isText }: Found): readonly BrokenRequest[] {
  const shape = shapeOf(shapeName);
  const { operation, member, path } = place;
  const broken = (how: string, value: Json | undefined, code = expectedCode(operation, member)): BrokenRequest => ({
    operation,
    title: `${path} ${how}`,
    input: place.put(value),
    code,
    status: errorModel(code)?.status ?? 400,
    names: member,
  });
  const wrong = isText
    ? []
    : wrongTypes(shape).map((value) => broken(`is ${JSON.stringify(value)}, a wrong type`, value, 'SerializationException'));
  const missing = isRequired ? [broken('is missing', undefined), ...(isText ? [] : [broken('is null', null)])] : [];
  return [...wrong, ...missing, ...outOfBounds(shape).map(([how, value]) => broken(how, value))];
}

function wrongTypes({ type }: Shape): readonly Json[] {
  switch (type) {
    case 'structure':
    case 'map':
      return ['text', 7, true, [{}]];
    case 'list':
      return ['text', 7, true, {}];
    case 'string':
      return [7, true, {}, ['text']];
    case 'boolean':
      return ['true', 1, {}, [true]];
    case 'integer':
    case 'long':
      return ['7', true, {}, [7], 7.5];
    case 'timestamp':
      return ['2026-01-01T00:00:00Z', true, {}, [7]];
    case 'blob':
      return [7, true, {}, [7], '!'];
    default:
      return ['7', true, {}, [7]];
  }
}

/** Values of the right type that break the shape's own constraints. */
function outOfBounds(shape: Shape): readonly (readonly [how: string, value: Json])[] {
  const { min, max } = shape as { readonly min?: number; readonly max?: number };
  const sizes: readonly (readonly [how: string, value: Json | undefined])[] = [
    ...(min !== undefined && min > 0 ? [['is below its least', sized(shape, min - 1)] as const] : []),
    ...(max !== undefined ? [['is above its greatest', sized(shape, max + 1)] as const] : []),
  ];
  const bounds = sizes.flatMap(([how, value]) => (value === undefined ? [] : [[how, value] as const]));
  if (shape.type !== 'string') return bounds;
  const odd = ODD_TEXTS.map((text) => text.repeat(Math.max(1, shape.min ?? 1))).find((text) => !hasForm(shape, text));
  const first = shape.enum?.[0];
  return [
    ...bounds,
    ...(odd === undefined ? [] : [['has another form', odd] as const]),
    ...(first === undefined
      ? []
      : [
          ['is none of its values', 'none'] as const,
          ['is empty', ''] as const,
          ['is a value in other letters', first === first.toUpperCase() ? first.toLowerCase() : first.toUpperCase()] as const,
        ]),
  ];
}

/** A value of exactly this size; `undefined` where there is none. */
function sized(shape: Shape, size: number): Json | undefined {
  switch (shape.type) {
    case 'list':
      return Array.from({ length: size }, () => sample(shape.member));
    case 'map': {
      const keys = shapeOf(shape.key) as StringShape;
      const names = keys.enum ?? Array.from({ length: size }, (_, index) => `${sampleText(keys, keys.min ?? 0)}${index}`);
      if (names.length < size) return undefined;
      return Object.fromEntries(names.slice(0, size).map((name) => [name, sample(shape.value)]));
    }
    case 'string':
      if (shape.enum !== undefined) return undefined;
      return size <= (shape.min ?? 0) - 1 ? sampleText(shape, shape.min ?? 0).slice(0, size) : sampleText(shape, size).slice(0, size);
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      return size;
    default:
      return undefined;
  }
}

/** All requests that are just within one constraint. */
export function borderRequests(): readonly BorderRequest[] {
  return operationNames().flatMap((operation) =>
    placesOf(operation).flatMap(({ place, shapeName }) => {
      const shape = shapeOf(shapeName);
      const { min, max } = shape as { readonly min?: number; readonly max?: number };
      const sizes = [min, max].filter((size) => size !== undefined);
      const ends = sizes.map((size) => [`is ${size}, the last that it may be`, sized(shape, size)] as const);
      const values = ((shape as StringShape).enum ?? []).map((value) => [`is ${value}`, value] as const);
      return [...ends, ...values].flatMap(([how, value]) =>
        value === undefined || (typeof value === 'string' && !hasForm(shape as StringShape, value))
          ? []
          : [{ operation, title: `${place.path} ${how}`, input: place.put(value) }],
      );
    }),
  );
}
