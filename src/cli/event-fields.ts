/**
 * `--fields`: which values of an event are shown, in a table and in JSON alike.
 *
 * A field is a member of the event's view (`EventTime`, `Username`, in any case of letters), or a path into the record
 * (`userIdentity.type`, `requestParameters.bucketName`, `resources.0.ARN`).
 */
import type { EventView } from '../api/event-view.ts';
import { UsageError } from './exit.ts';
import { safeText } from './safe-text.ts';
import type { Column } from './table.ts';

/** Help of the flag. */
export const FIELDS_OPTION = ['--fields <names>', 'such as EventTime,Username,userIdentity.type'] as const;

/** A field as it was asked for. */
export interface EventField {
  /** As it was typed: the column's heading, and the name in JSON. */
  readonly name: string;
  /** @param record The event's record, parsed. @returns `undefined` where the event has no such value. */
  readonly read: (event: EventView, record: unknown) => unknown;
}

/** Every member of a view. */
const VIEW_MEMBERS: readonly (keyof EventView)[] = [
  'Sequence',
  'ReceivedAt',
  'AccountId',
  'Region',
  'EventId',
  'EventTime',
  'EventName',
  'EventSource',
  'Category',
  'ReadOnly',
  'Username',
  'AccessKeyId',
  'SourceIpAddress',
  'ErrorCode',
  'Resources',
  'Source',
  'IsLate',
  'IsEventTimeSuspicious',
  'Sentence',
  'Record',
];

/** Names separated by commas. @throws UsageError */
export function parseFields(text: string): readonly EventField[] {
  const fields = text.split(',').map((name) => fieldOf(name.trim()));
  const twice = fields.find(({ name }, place) => fields.findIndex((other) => other.name === name) !== place);
  if (twice !== undefined) throw new UsageError(`\`--fields\` names \`${safeText(twice.name)}\` twice`);
  return fields;
}

function fieldOf(name: string): EventField {
  if (!/^[A-Za-z][\w:-]*(?:\.[\w:-]+)*$/.test(name))
    throw new UsageError(
      `\`${safeText(name)}\` is not a field; expected names such as EventTime, Username or requestParameters.bucketName`,
    );
  const member = VIEW_MEMBERS.find((each) => each.toLowerCase() === name.toLowerCase());
  if (member !== undefined) return { name, read: (event) => event[member] };
  const path = name.split('.');
  return { name, read: (_, record) => path.reduce(memberOf, record) };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** The event with nothing but the fields; those that it lacks are left out. */
export function pickFields(fields: readonly EventField[], event: EventView): Record<string, unknown> {
  const record = JSON.parse(event.Record) as unknown;
  return Object.fromEntries(
    fields.map(({ name, read }) => [name, read(event, record)] as const).filter(([, value]) => value !== undefined),
  );
}

/** Columns of a table of picked events. */
export function fieldColumns(fields: readonly EventField[]): readonly Column<Record<string, unknown>>[] {
  return fields.map(({ name }) => ({ heading: name, cell: (picked) => cellOf(picked[name]) }));
}

function cellOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
