/**
 * Event selectors as clients send and read them: basic and advanced ones, in the wire's words, as they are kept and echoed.
 *
 * Source: CloudTrail API Reference, "EventSelector" and "AdvancedEventSelector"; cloudtrail.md §4.
 */

/** Which of read and write events a basic selector takes. */
export type ReadWriteType = 'ReadOnly' | 'WriteOnly' | 'All';

/** Resources of one type whose data events a basic selector takes. */
export interface DataResource {
  readonly Type: string;
  readonly Values: readonly string[];
}

/** A basic selector, with its defaults filled in. */
export interface EventSelector {
  readonly ReadWriteType: ReadWriteType;
  readonly IncludeManagementEvents: boolean;
  readonly DataResources: readonly DataResource[];
  /** Absent when the caller left it out, which means none. */
  readonly ExcludeManagementEventSources?: readonly string[];
}

/** The operators of a condition, in the order in which they are shown. */
export const OPERATORS = ['Equals', 'StartsWith', 'EndsWith', 'NotEquals', 'NotStartsWith', 'NotEndsWith'] as const;

export type Operator = (typeof OPERATORS)[number];

/** A field and what its text must be and must not be; each operator that is there has at least one value. */
export type FieldSelector = { readonly Field: string } & { readonly [Name in Operator]?: readonly string[] };

/** An advanced selector: it takes what meets all of its fields. */
export interface AdvancedEventSelector {
  readonly Name?: string;
  readonly FieldSelectors: readonly FieldSelector[];
}

/** The selectors of a trail: of one kind, never of both. Neither: the default, all management events. */
export interface Selectors {
  readonly eventSelectors?: readonly EventSelector[];
  readonly advancedEventSelectors?: readonly AdvancedEventSelector[];
}

/** What GetEventSelectors shows of a trail that never got selectors (cloudtrail.md §4.1, the current guide's form). */
export const DEFAULT_SELECTORS: readonly AdvancedEventSelector[] = [
  { Name: 'Management events selector', FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] },
];
