/**
 * Brings basic and advanced selectors into one form, so that one evaluator and one comparison serve both.
 *
 * A basic selector is several of them: one for management events, one for each type of resource. Its S3 values match by prefix,
 * those of functions and tables exactly; a table's value stands for its streams as well.
 * Relies on lists that `read-selectors.ts` took.
 * Source: cloudtrail.md §4.2, §4.3.
 */
import type { AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Selectors } from './selectors.ts';
import { DEFAULT_SELECTORS } from './selectors.ts';

/** The categories that a trail's selectors can choose. */
export type SelectableCategory = 'Management' | 'Data' | 'NetworkActivity';

/** Takes an event of the category that meets all fields, and touches one resource that is as `resource` says. */
export interface NormalSelector {
  readonly category: SelectableCategory;
  /** About the event: neither its category nor its resources. */
  readonly fields: readonly FieldSelector[];
  /** For data events alone. The conditions on its ARN are met by that same resource. */
  readonly resource?: { readonly type: string; readonly arn: readonly FieldSelector[] };
}

/** All selectors of a trail in one form; those of the default when it has none of its own. */
export function normalize({ eventSelectors, advancedEventSelectors }: Selectors): readonly NormalSelector[] {
  if (eventSelectors !== undefined) return eventSelectors.flatMap(ofBasic);
  return (advancedEventSelectors ?? DEFAULT_SELECTORS).map(ofAdvanced);
}

/** Whether a trail with these selectors takes any events of the category. */
export function selectsCategory(selectors: Selectors, category: SelectableCategory): boolean {
  return normalize(selectors).some((selector) => selector.category === category);
}

function ofAdvanced({ FieldSelectors }: AdvancedEventSelector): NormalSelector {
  const one = (name: string) => FieldSelectors.find(({ Field }) => Field === name)?.Equals?.[0];
  const fields = FieldSelectors.filter(({ Field }) => Field !== 'eventCategory' && !Field.startsWith('resources.'));
  const category = one('eventCategory') as SelectableCategory;
  const type = one('resources.type');
  if (type === undefined) return { category, fields };
  return { category, fields, resource: { type, arn: FieldSelectors.filter(({ Field }) => Field === 'resources.ARN') } };
}

function ofBasic(selector: EventSelector): readonly NormalSelector[] {
  const { ReadWriteType, IncludeManagementEvents, DataResources, ExcludeManagementEventSources = [] } = selector;
  const readOnly: readonly FieldSelector[] =
    ReadWriteType === 'All' ? [] : [{ Field: 'readOnly', Equals: [String(ReadWriteType === 'ReadOnly')] }];
  const sources: readonly FieldSelector[] =
    ExcludeManagementEventSources.length === 0 ? [] : [{ Field: 'eventSource', NotEquals: ExcludeManagementEventSources }];
  const management: readonly NormalSelector[] = IncludeManagementEvents
    ? [{ category: 'Management', fields: [...readOnly, ...sources] }]
    : [];
  const resources = DataResources.flatMap(ofDataResource);
  return [...management, ...resources.map((resource): NormalSelector => ({ category: 'Data', fields: readOnly, resource }))];
}

function ofDataResource({ Type, Values }: DataResource): readonly NonNullable<NormalSelector['resource']>[] {
  if (Values.length === 0) return [];
  const isAll = Values.some(isAllValue);
  const arn = (condition: Omit<FieldSelector, 'Field'>): readonly FieldSelector[] =>
    isAll ? [] : [{ Field: 'resources.ARN', ...condition }];
  if (Type === 'AWS::S3::Object') return [{ type: Type, arn: arn({ StartsWith: Values }) }];
  const own = { type: Type, arn: arn({ Equals: Values }) };
  if (Type !== 'AWS::DynamoDB::Table') return [own];
  return [own, { type: 'AWS::DynamoDB::Stream', arn: arn({ StartsWith: Values.map((table) => `${table}/stream/`) }) }];
}

/** True for a value such as `arn:aws:s3`, which stands for all resources of its type. */
export function isAllValue(value: string): boolean {
  return /^arn:aws[a-z-]*:[a-z0-9]+$/.test(value);
}
