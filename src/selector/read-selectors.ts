/**
 * Checks the selectors of a PutEventSelectors call, and fills the defaults of basic ones in.
 *
 * The lists have the model's shapes already; here is what the model does not say: which fields, operators and combinations each
 * category has on a trail, and how many. A refusal names the place and the value.
 * Source: cloudtrail.md §4.1–4.3, §12.1.
 */
import { ApiError } from '../api/api-error.ts';
import { NETWORK_SOURCES } from './network-sources.ts';
import { isAllValue, type SelectableCategory } from './normalize.ts';
import { arnFormOf, hasForm } from './resource-types.ts';
import {
  type AdvancedEventSelector,
  type DataResource,
  type EventSelector,
  type FieldSelector,
  OPERATORS,
  type Operator,
  type Selectors,
} from './selectors.ts';

const BASIC_SELECTORS_MAX = 5;
/** Over all basic selectors of a trail; values that stand for all resources do not count. */
const DATA_VALUES_MAX = 250;
/** Over all conditions of all advanced selectors of a trail. */
const VALUES_MAX = 500;
/** Ours: the longest lists that fit these numbers would be in each document of the trail's delivery. */
const TEXT_LENGTH_MAX = 256 * 1024;
/** Characters of a value that a refusal repeats. */
const SHOWN_MAX = 200;

/** The sources whose management events a trail may leave out. */
const EXCLUDABLE_SOURCES: readonly string[] = ['kms.amazonaws.com', 'rdsdata.amazonaws.com'];
const DATA_TYPES: readonly string[] = ['AWS::S3::Object', 'AWS::Lambda::Function', 'AWS::DynamoDB::Table'];

/** Selectors as a call gives them: of a basic one, every member may be absent. */
export interface SelectorsInput {
  readonly EventSelectors?: readonly BasicInput[];
  readonly AdvancedEventSelectors?: readonly AdvancedEventSelector[];
}

type BasicInput = Partial<Omit<EventSelector, 'DataResources'>> & { readonly DataResources?: readonly Partial<DataResource>[] };

/**
 * The selectors of a trail.
 * @throws ApiError InvalidEventSelectorsException
 */
export function readSelectors({ EventSelectors = [], AdvancedEventSelectors = [] }: SelectorsInput): Selectors {
  if (EventSelectors.length > 0 && AdvancedEventSelectors.length > 0)
    refuse('give EventSelectors or AdvancedEventSelectors, not both: a trail has selectors of one kind');
  if (EventSelectors.length + AdvancedEventSelectors.length === 0)
    refuse('give 1 to 5 EventSelectors, or at least 1 of AdvancedEventSelectors: both lists are empty');
  const length = JSON.stringify([EventSelectors, AdvancedEventSelectors]).length;
  if (length > TEXT_LENGTH_MAX) refuse(`the selectors have ${length} characters as JSON; at most ${TEXT_LENGTH_MAX} are allowed`);
  return EventSelectors.length > 0
    ? { eventSelectors: readBasic(EventSelectors) }
    : { advancedEventSelectors: readAdvanced(AdvancedEventSelectors) };
}

// --- basic ----------------------------------------------------------------------------------------------------------

function readBasic(list: readonly BasicInput[]): readonly EventSelector[] {
  if (list.length > BASIC_SELECTORS_MAX) refuse(`EventSelectors has ${list.length} selectors; at most ${BASIC_SELECTORS_MAX} are allowed`);
  const selectors = list.map((selector, index) => readBasicSelector(selector, `EventSelectors[${index}]`));
  const count = selectors
    .flatMap(({ DataResources }) => DataResources.flatMap(({ Values }) => Values))
    .filter((value) => !isAllValue(value)).length;
  if (count > DATA_VALUES_MAX) refuse(`EventSelectors has ${count} values of data resources; at most ${DATA_VALUES_MAX} are allowed`);
  return selectors;
}

function readBasicSelector(input: BasicInput, place: string): EventSelector {
  const { ReadWriteType = 'All', IncludeManagementEvents = true, DataResources = [], ExcludeManagementEventSources: excluded } = input;
  if (!['ReadOnly', 'WriteOnly', 'All'].includes(ReadWriteType))
    refuse(`${place}.ReadWriteType is ${shown(ReadWriteType)}; it must be \`ReadOnly\`, \`WriteOnly\` or \`All\``);
  (excluded ?? []).forEach((source, index) => {
    if (!EXCLUDABLE_SOURCES.includes(source)) refuseValue(`${place}.ExcludeManagementEventSources[${index}]`, source, EXCLUDABLE_SOURCES);
  });
  return {
    ReadWriteType,
    IncludeManagementEvents,
    DataResources: DataResources.map((resource, index) => readDataResource(resource, `${place}.DataResources[${index}]`)),
    ...(excluded === undefined ? {} : { ExcludeManagementEventSources: excluded }),
  };
}

function readDataResource({ Type = '', Values = [] }: Partial<DataResource>, place: string): DataResource {
  if (!DATA_TYPES.includes(Type)) refuseValue(`${place}.Type`, Type, DATA_TYPES);
  const service = Type.split('::')[1]!.toLowerCase();
  Values.forEach((value, index) => {
    if (!isDataValue(Type, value))
      refuse(
        `${place}.Values[${index}] is ${shown(value)}; it must be \`arn:aws:${service}\` for all resources of the type ${Type}, or the ARN of ${Type === 'AWS::S3::Object' ? 'a bucket with a slash, or a prefix in one' : 'one of them'}`,
      );
  });
  return { Type, Values };
}

function isDataValue(type: string, value: string): boolean {
  switch (type) {
    case 'AWS::S3::Object':
      return /^arn:aws[a-z-]*:s3(?::::.*)?$/s.test(value);
    default: {
      const isAll = isAllValue(value) && value.endsWith(`:${type === 'AWS::Lambda::Function' ? 'lambda' : 'dynamodb'}`);
      return isAll || hasForm(value, arnFormOf(type)!);
    }
  }
}

// --- advanced -------------------------------------------------------------------------------------------------------

/** What a category of a trail's advanced selectors can ask for. */
interface CategoryRules {
  /** Fields without which a selector is refused, beside `eventCategory`: each once, with `Equals` one value. */
  readonly required: readonly string[];
  readonly fields: Readonly<Record<string, FieldRules>>;
}

interface FieldRules {
  /** Absent: any. */
  readonly operators?: readonly Operator[];
  /** Absent: any text. */
  readonly values?: readonly string[];
}

const TRUE_OR_FALSE: FieldRules = { operators: ['Equals'], values: ['true', 'false'] };

const CATEGORIES: Readonly<Record<SelectableCategory, CategoryRules>> = {
  Management: {
    required: [],
    fields: { readOnly: TRUE_OR_FALSE, eventSource: { operators: ['NotEquals'], values: EXCLUDABLE_SOURCES } },
  },
  Data: {
    required: ['resources.type'],
    fields: {
      readOnly: TRUE_OR_FALSE,
      eventName: {},
      eventSource: {},
      eventType: {},
      sessionCredentialFromConsole: { operators: ['Equals', 'NotEquals'], values: ['true', 'false'] },
      'userIdentity.arn': {},
      'resources.type': { operators: ['Equals'] },
      'resources.ARN': {},
    },
  },
  NetworkActivity: {
    required: ['eventSource'],
    fields: {
      eventSource: { operators: ['Equals'] },
      eventName: {},
      errorCode: { operators: ['Equals'], values: ['VpceAccessDenied'] },
      vpcEndpointId: {},
    },
  },
};

function readAdvanced(list: readonly AdvancedEventSelector[]): readonly AdvancedEventSelector[] {
  list.forEach((selector, index) => {
    checkSelector(selector, `AdvancedEventSelectors[${index}]`);
  });
  const count = list.flatMap(({ FieldSelectors }) => FieldSelectors.flatMap(valuesOf)).length;
  if (count > VALUES_MAX) refuse(`AdvancedEventSelectors has ${count} values over all its conditions; at most ${VALUES_MAX} are allowed`);
  return list;
}

function checkSelector({ FieldSelectors }: AdvancedEventSelector, place: string): void {
  const category = requireOne(FieldSelectors, 'eventCategory', place);
  if (!Object.hasOwn(CATEGORIES, category)) refuseValue(`${place}: eventCategory`, category, Object.keys(CATEGORIES));
  const rules = CATEGORIES[category as SelectableCategory];
  FieldSelectors.forEach((field, index) => {
    if (field.Field !== 'eventCategory') checkField(field, rules, { place: `${place}.FieldSelectors[${index}]`, category });
  });
  for (const field of rules.required) requireOne(FieldSelectors, field, place);
  if (category === 'Data') checkResource(FieldSelectors, place);
  if (category === 'NetworkActivity') {
    const source = requireOne(FieldSelectors, 'eventSource', place);
    if (!NETWORK_SOURCES.has(source))
      refuse(`${place}: eventSource is ${shown(source)}, which is no source of network activity events, such as \`ec2.amazonaws.com\``);
  }
}

/** The one value of a field that a selector must have once, with `Equals` alone. */
function requireOne(fields: readonly FieldSelector[], name: string, place: string): string {
  const [field, ...more] = fields.filter(({ Field }) => Field === name);
  if (field === undefined) refuse(`${place} has no field ${name}; it must have one, with Equals and one value`);
  const [value] = field.Equals ?? [];
  if (more.length > 0 || valuesOf(field).length !== 1 || value === undefined)
    refuse(`${place} must have the field ${name} once, with Equals and one value`);
  return value;
}

function checkField(field: FieldSelector, rules: CategoryRules, { place, category }: { place: string; category: string }): void {
  const { Field } = field;
  if (!Object.hasOwn(rules.fields, Field)) {
    const allowed = ['eventCategory', ...Object.keys(rules.fields)].join(', ');
    refuse(`${place}.Field is ${shown(Field)}, which selectors of ${category} events of a trail do not have; they have ${allowed}`);
  }
  const { operators = OPERATORS, values } = rules.fields[Field]!;
  const given = OPERATORS.filter((operator) => field[operator] !== undefined);
  if (given.length === 0) refuse(`${place} has no operator for ${Field}; it must have one or more of ${operators.join(', ')}`);
  for (const operator of given) {
    if (!operators.includes(operator))
      refuse(`${place}.${operator} is not allowed for ${Field} of ${category} events; use ${operators.join(' or ')}`);
    if (field[operator]!.length === 0) refuse(`${place}.${operator} is empty; it must have at least one value`);
    field[operator]!.forEach((value, index) => {
      if (values !== undefined && !values.includes(value)) refuseValue(`${place}.${operator}[${index}]`, value, values);
    });
  }
}

/** The type is one that data events have, and a whole ARN is one of that type: another one would never match. */
function checkResource(fields: readonly FieldSelector[], place: string): void {
  const type = requireOne(fields, 'resources.type', place);
  const form = arnFormOf(type);
  if (form === undefined)
    refuse(`${place}: resources.type is ${shown(type)}, which is no type of resource of data events, such as \`AWS::S3::Object\``);
  for (const { Field, Equals = [], NotEquals = [] } of fields)
    for (const value of Field === 'resources.ARN' ? [...Equals, ...NotEquals] : [])
      if (!hasForm(value, form))
        refuse(
          `${place}: resources.ARN has ${shown(value)}, which is no whole ARN of ${type}; give one, or use StartsWith, EndsWith or their opposites`,
        );
}

function valuesOf(field: FieldSelector): readonly string[] {
  return OPERATORS.flatMap((operator) => field[operator] ?? []);
}

// --- refusals -------------------------------------------------------------------------------------------------------

function refuseValue(place: string, value: string, allowed: readonly string[]): never {
  refuse(`${place} is ${shown(value)}; it must be ${allowed.map((each) => `\`${each}\``).join(' or ')}`);
}

function refuse(reason: string): never {
  throw new ApiError('InvalidEventSelectorsException', `The event selectors are not valid: ${reason}.`);
}

function shown(value: string): string {
  return value.length > SHOWN_MAX ? `\`${value.slice(0, SHOWN_MAX)}…\`` : `\`${value}\``;
}
