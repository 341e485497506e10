/**
 * An operation's input and output as CloudTrail writes them into the record of its own call.
 *
 * The service lowers the first letter of each member and leaves the rest: `S3BucketName` becomes `s3BucketName`,
 * `TrailARN` becomes `trailARN`. Names that clients chose (keys of maps) stay. Times are written in English short form,
 * `Jul 10, 2023, 11:50:00 AM`, in UTC. What holds nothing is `null`.
 * Source: records of `cloudtrail.amazonaws.com` in invictus-ir/aws_dataset; cloudtrail.md §1.2, §1.3.
 */
import type { EpochMs, Json, JsonObject } from '../event/types.ts';
import { encodeBase64 } from './base64.ts';
import { operationModel, shapeOf } from './model.ts';
import type { Shape } from './model-types.ts';
import type { ModelValue } from './validate-input.ts';

/** `requestParameters` of a call: the decoded input; `null` when it is empty. */
export function toRequestParameters(operation: string, input: object): JsonObject | null {
  return toRecordMembers(input, operationModel(operation)?.input);
}

/** `responseElements` of a call: the output; `null` when it is empty. Reads write `null` anyway, which the caller decides. */
export function toResponseElements(operation: string, output: object, separator: TimeSeparator = ', '): JsonObject | null {
  return toRecordMembers(output, operationModel(operation)?.output, separator);
}

/** What stands between day and time: IAM and STS leave the comma out. */
export type TimeSeparator = ', ' | ' ';

/** A time as the service writes it inside request and response, in UTC: `Jul 10, 2023, 11:50:00 AM`. */
export function formatShortTime(timeMs: EpochMs, separator: TimeSeparator = ', '): string {
  const time = new Date(timeMs);
  const hour = time.getUTCHours();
  const clock = [hour % 12 === 0 ? 12 : hour % 12, twoDigits(time.getUTCMinutes()), twoDigits(time.getUTCSeconds())].join(':');
  return `${MONTHS[time.getUTCMonth()]} ${time.getUTCDate()}, ${time.getUTCFullYear()}${separator}${clock} ${hour < 12 ? 'AM' : 'PM'}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function toRecordMembers(value: object, shapeName: string | undefined, separator: TimeSeparator = ', '): JsonObject | null {
  const members = objectMembers(
    value as { readonly [member: string]: ModelValue | undefined },
    shapeName === undefined ? undefined : shapeOf(shapeName),
    separator,
  );
  return Object.keys(members).length === 0 ? null : members;
}

/** Without a shape (services that are not in the model), every object is taken for a structure. */
function objectMembers(
  object: { readonly [member: string]: ModelValue | undefined },
  shape: Shape | undefined,
  separator: TimeSeparator,
): JsonObject {
  const isMap = shape?.type === 'map';
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) =>
      value === undefined || (!isMap && isShadowed(object, name))
        ? []
        : [[isMap ? name : lowerFirst(name), recordValue(value, memberShape(shape, name), separator)]],
    ),
  );
}

/** A member that no operation reads must not be recorded in the place of the one that it does: `name` beside `Name`. */
function isShadowed(object: object, name: string): boolean {
  const capital = name.slice(0, 1).toUpperCase() + name.slice(1);
  return capital !== name && Object.hasOwn(object, capital);
}

function memberShape(shape: Shape | undefined, name: string): Shape | undefined {
  if (shape?.type === 'map') return shapeOf(shape.value);
  const member = shape?.type === 'structure' && Object.hasOwn(shape.members, name) ? shape.members[name] : undefined;
  return member === undefined ? undefined : shapeOf(member);
}

function recordValue(value: ModelValue, shape: Shape | undefined, separator: TimeSeparator): Json {
  if (value instanceof Date) return formatShortTime(value.getTime(), separator);
  if (value instanceof Uint8Array) return encodeBase64(value);
  if (Array.isArray(value)) {
    const item = shape?.type === 'list' ? shapeOf(shape.member) : undefined;
    return (value as readonly ModelValue[]).map((element) => recordValue(element, item, separator));
  }
  if (typeof value !== 'object') return value;
  return objectMembers(value as { readonly [member: string]: ModelValue | undefined }, shape, separator);
}

function lowerFirst(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}
