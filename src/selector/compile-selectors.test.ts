import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventCategory } from '../event/types.ts';
import { compileSelectors, type EventField, type SelectableEvent, type SelectableResource } from './compile-selectors.ts';
import { resourceTypes } from './resource-types.ts';
import { type AdvancedEventSelector, type EventSelector, type FieldSelector, OPERATORS } from './selectors.ts';

interface Sample {
  readonly category: EventCategory;
  readonly fields: { readonly [Field in EventField]?: string | undefined };
  readonly resources: readonly SelectableResource[];
}

function eventOf({ category, fields, resources }: Sample): SelectableEvent {
  return { category, text: (field) => fields[field], resources: () => resources };
}

/** The rules of cloudtrail.md §4.3 in the plainest words. */
function bruteForce(list: readonly AdvancedEventSelector[], { category, fields, resources }: Sample): boolean {
  const meets = (field: FieldSelector, text: string | undefined): boolean => {
    const hits = (values: readonly string[] | undefined, test: (text: string, value: string) => boolean) =>
      text !== undefined && (values ?? []).some((value) => test(text, value));
    const equals = (whole: string, value: string) => whole === value;
    const begins = (whole: string, value: string) => whole.startsWith(value);
    const ends = (whole: string, value: string) => whole.endsWith(value);
    const isSelective = field.Equals !== undefined || field.StartsWith !== undefined || field.EndsWith !== undefined;
    const isSelected = hits(field.Equals, equals) || hits(field.StartsWith, begins) || hits(field.EndsWith, ends);
    const isDropped = hits(field.NotEquals, equals) || hits(field.NotStartsWith, begins) || hits(field.NotEndsWith, ends);
    return (!isSelective || isSelected) && !isDropped;
  };
  return list.some(({ FieldSelectors }) => {
    const ofEvent = FieldSelectors.filter(({ Field }) => !Field.startsWith('resources.'));
    const ofResource = FieldSelectors.filter(({ Field }) => Field.startsWith('resources.'));
    const isMet = ofEvent.every((field) => meets(field, field.Field === 'eventCategory' ? category : fields[field.Field as EventField]));
    const touches = resources.some(({ type, arn }) =>
      ofResource.every((field) => meets(field, field.Field === 'resources.type' ? type : arn)),
    );
    return isMet && (ofResource.length === 0 || touches);
  });
}

const advanced = (...FieldSelectors: readonly FieldSelector[]) => compileSelectors({ advancedEventSelectors: [{ FieldSelectors }] });
const basic = (selector: Partial<EventSelector>) =>
  compileSelectors({ eventSelectors: [{ ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [], ...selector }] });
const management = (fields: Sample['fields'] = {}) => eventOf({ category: 'Management', fields, resources: [] });
const data = (resources: readonly SelectableResource[], fields: Sample['fields'] = {}) => eventOf({ category: 'Data', fields, resources });
const object = (arn?: string): SelectableResource => ({ type: 'AWS::S3::Object', arn });
const DATA: FieldSelector = { Field: 'eventCategory', Equals: ['Data'] };
const OBJECTS: FieldSelector = { Field: 'resources.type', Equals: ['AWS::S3::Object'] };

describe('compileSelectors', () => {
  test('takes what the plainest reading of the rules takes, for any conditions, texts that share parts, and absent fields', () => {
    // Few letters, so that values hit; halves of pairs and a letter of two units, so that units are compared.
    const unit = fc.constantFrom('a', 'b', 'A', ':', 'ü', '😀', '\ud83d', '\ude00');
    const text = fc.array(unit, { minLength: 1, maxLength: 5 }).map((units) => units.join(''));
    const values = fc.option(fc.array(text, { minLength: 1, maxLength: 6 }), { nil: undefined });
    const condition = fc.tuple(values, values, values, values, values, values).map((lists) => {
      const given = OPERATORS.flatMap((operator, index) => (lists[index] === undefined ? [] : [[operator, lists[index]] as const]));
      return Object.fromEntries(given) as Omit<FieldSelector, 'Field'>;
    });
    const names: readonly EventField[] = ['eventName', 'eventSource', 'eventType', 'userIdentity.arn', 'vpcEndpointId', 'readOnly'];
    const field = fc.tuple(fc.constantFrom(...names), condition).map(([Field, rest]) => ({ Field, ...rest }));
    const types = ['AWS::S3::Object', 'AWS::DynamoDB::Table'];
    const selector = fc
      .tuple(
        fc.constantFrom('Management', 'Data', 'NetworkActivity'),
        fc.array(field, { maxLength: 3 }),
        fc.constantFrom(...types),
        fc.array(condition, { maxLength: 2 }),
      )
      .map(([category, fields, type, arns]): AdvancedEventSelector => {
        const resource = [{ Field: 'resources.type', Equals: [type] }, ...arns.map((each) => ({ Field: 'resources.ARN', ...each }))];
        return {
          FieldSelectors: [{ Field: 'eventCategory', Equals: [category] }, ...fields, ...(category === 'Data' ? resource : [])],
        };
      });
    const maybe = fc.option(text, { nil: undefined });
    const sample = fc.record({
      category: fc.constantFrom<EventCategory>('Management', 'Data', 'NetworkActivity', 'Insight'),
      fields: fc.record(Object.fromEntries(names.map((name) => [name, maybe]))) as fc.Arbitrary<Sample['fields']>,
      resources: fc.array(fc.record({ type: fc.option(fc.constantFrom(...types), { nil: undefined }), arn: maybe }), { maxLength: 3 }),
    });
    const taken = [0, 0];
    fc.assert(
      fc.property(
        fc.array(selector, { minLength: 1, maxLength: 5 }),
        fc.array(sample, { minLength: 5, maxLength: 20 }),
        (list, samples) => {
          const takes = compileSelectors({ advancedEventSelectors: list });
          for (const each of samples) {
            const expected = bruteForce(list, each);
            taken[expected ? 1 : 0]!++;
            expect(takes(eventOf(each)), JSON.stringify({ list, each })).toBe(expected);
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(Math.min(...taken)).toBeGreaterThan(200);
  });

  test.each(resourceTypes())('%s is chosen by its type, and by the beginning and the end of its ARN', (type) => {
    const service = type.split('::')[1]!.toLowerCase();
    const arns = ['first-of-two', 'second'].map((name) => `arn:aws:${service}:eu-central-1:111122223333:thing/${name}`);
    const takes = (condition: Omit<FieldSelector, 'Field'>) => {
      const matches = advanced(DATA, { Field: 'resources.type', Equals: [type] }, { Field: 'resources.ARN', ...condition });
      return arns.map((arn) => matches(data([{ type: 'AWS::Other::Thing', arn }])) || matches(data([{ type, arn }])));
    };
    expect(takes({ StartsWith: [arns[0]!.slice(0, -4)] })).toEqual([true, false]);
    expect(takes({ NotStartsWith: [arns[0]!.slice(0, -4)] })).toEqual([false, true]);
    expect(takes({ EndsWith: ['/second'] })).toEqual([false, true]);
    expect(takes({ StartsWith: ['arn:aws:'], NotEndsWith: ['/second'] })).toEqual([true, false]);
    expect(arns.map((arn) => advanced(DATA, OBJECTS)(data([{ type, arn }])))).toEqual(arns.map(() => type === 'AWS::S3::Object'));
  });

  test('without selectors, all management events and nothing else', () => {
    const takes = compileSelectors({});
    expect([takes(management()), takes(data([object('arn:aws:s3:::b/k')]))]).toEqual([true, false]);
  });

  test('an event that does not say whether it reads is taken by neither half', () => {
    for (const ReadWriteType of ['ReadOnly', 'WriteOnly'] as const) expect(basic({ ReadWriteType })(management())).toBe(false);
    expect(basic({ ReadWriteType: 'WriteOnly' })(management({ readOnly: 'false' }))).toBe(true);
  });

  test('the conditions on an ARN hold for the resource of the type, not for another one beside it', () => {
    const bucket = { type: 'AWS::S3::Bucket', arn: 'arn:aws:s3:::logs' };
    const takes = advanced(DATA, OBJECTS, { Field: 'resources.ARN', NotStartsWith: ['arn:aws:s3:::logs/'] });
    expect(takes(data([object('arn:aws:s3:::logs/a'), bucket]))).toBe(false);
    expect(takes(data([object('arn:aws:s3:::logs/a'), object('arn:aws:s3:::pii/a')]))).toBe(true);
    expect([takes(data([object()])), takes(data([]))]).toEqual([true, false]);
  });

  test('basic S3 values match by prefix, those of functions and tables whole; a table stands for its streams', () => {
    const table = 'arn:aws:dynamodb:eu-central-1:111122223333:table/orders';
    const lambda = 'arn:aws:lambda:eu-central-1:111122223333:function:winter';
    const takes = basic({
      DataResources: [
        { Type: 'AWS::S3::Object', Values: ['arn:aws:s3:::pii/exports/'] },
        { Type: 'AWS::Lambda::Function', Values: [lambda] },
        { Type: 'AWS::DynamoDB::Table', Values: [table] },
      ],
    });
    const of = (type: string, arn: string) => takes(data([{ type, arn }]));
    expect(['exports/a', 'exports/sub/b', 'other/c'].map((key) => of('AWS::S3::Object', `arn:aws:s3:::pii/${key}`))).toEqual([
      true,
      true,
      false,
    ]);
    expect([lambda, `${lambda}-2`].map((arn) => of('AWS::Lambda::Function', arn))).toEqual([true, false]);
    expect([table, `${table}2`].map((arn) => of('AWS::DynamoDB::Table', arn))).toEqual([true, false]);
    expect([table, `${table}2`].map((arn) => of('AWS::DynamoDB::Stream', `${arn}/stream/2026`))).toEqual([true, false]);
  });

  test('basic values for all resources take each of the type, in any partition, even without an ARN', () => {
    const takes = basic({ IncludeManagementEvents: false, DataResources: [{ Type: 'AWS::S3::Object', Values: ['arn:aws:s3'] }] });
    expect([takes(data([object()])), takes(data([object('arn:aws-cn:s3:::b/k')])), takes(management())]).toEqual([true, true, false]);
  });

  test('sources that are left out are those of management events, and nothing else', () => {
    const takes = basic({
      ExcludeManagementEventSources: ['kms.amazonaws.com'],
      DataResources: [{ Type: 'AWS::S3::Object', Values: ['arn:aws:s3'] }],
    });
    const sources = ['kms.amazonaws.com', 'rdsdata.amazonaws.com', 'ec2.amazonaws.com'];
    expect(sources.map((eventSource) => takes(management({ eventSource })))).toEqual([false, true, true]);
    expect(takes(data([object()], { eventSource: 'kms.amazonaws.com' }))).toBe(true);
  });
});
