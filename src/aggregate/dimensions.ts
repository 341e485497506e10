/**
 * Reads from the record of a data event what aggregation counts it by.
 *
 * Records are untrusted: a value may be as long as an event and there may be thousands of them, so values are cut and only so many
 * resources of one event are named. Nothing is left out of a count for that: what is not named is counted as `(other)`, and an event
 * that does not say a value, as `(none)`.
 * Source: CloudTrail User Guide, "CloudTrail record contents for aggregated events"; cloudtrail.md §1.9.
 */
import { objectMember, textMember } from '../event/members.ts';
import type { JsonObject } from '../event/types.ts';

/** By what aggregated events can be counted, in the order in which a record lists them. */
export const DIMENSIONS = ['eventName', 'resourceARN', 'userIdentity', 'userAgent', 'sourceIpAddress', 'errorCodes'] as const;

export type Dimension = (typeof DIMENSIONS)[number];

/** The values of one event: at least one for each dimension but `errorCodes`, which is empty for a call that succeeded. */
export type EventValues = Readonly<Record<Dimension, readonly string[]>>;

/** Stands for a value that an event does not say. */
const NONE = '(none)';
/** Stands for the resources of an event that are too many to be named. */
const OTHER = '(other)';

/** Most resources of one event that are named. */
const RESOURCES_MAX = 250;
/** Longest value, in UTF-16 units; what is longer is cut and ends in `…`. */
const VALUE_LENGTH_MAX = 1_024;

/** @param arns Of the resources that the event touches, as far as known. */
export function readDimensions(record: JsonObject, arns: readonly (string | undefined)[]): EventValues {
  const errorCode = textMember(record, 'errorCode');
  return {
    eventName: [cutValue(textMember(record, 'eventName') ?? NONE)],
    resourceARN: resourcesOf(arns),
    userIdentity: [cutValue(identityOf(objectMember(record, 'userIdentity')))],
    userAgent: [cutValue(textMember(record, 'userAgent') ?? NONE)],
    sourceIpAddress: [cutValue(textMember(record, 'sourceIPAddress') ?? NONE)],
    errorCodes: errorCode === undefined ? [] : [cutValue(errorCode)],
  };
}

/** The value, no longer than values may be. */
export function cutValue(text: string): string {
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX - 1)}…`;
}

/** Each once, sorted. An object in S3 counts as its bucket. */
function resourcesOf(arns: readonly (string | undefined)[]): readonly string[] {
  const values = new Set<string>();
  for (const arn of arns) if (arn !== undefined) values.add(cutValue(containerOf(arn)));
  if (values.size === 0) return [NONE];
  const sorted = [...values].sort();
  return sorted.length <= RESOURCES_MAX ? sorted : [...sorted.slice(0, RESOURCES_MAX), OTHER];
}

function containerOf(arn: string): string {
  return /^arn:[^:/]+:s3:(?:::[^/]+|[^/]*:accesspoint\/[^/]+)(?=\/)/.exec(arn)?.[0] ?? arn;
}

/** Such as `AWSAccount:111122223333`, `AWSService:AWS Internal`, and the ARN where the identity has one. */
function identityOf(identity: JsonObject | undefined): string {
  const type = textMember(identity, 'type');
  const of = (...names: readonly string[]) => names.map((name) => textMember(identity, name)).find((text) => text !== undefined);
  const ofAll = of('arn', 'principalId', 'userName', 'accountId', 'invokedBy');
  const name = type === 'AWSAccount' ? of('accountId') : type === 'AWSService' ? of('invokedBy') : undefined;
  if (type === undefined && ofAll === undefined) return NONE;
  return `${type ?? 'Unknown'}:${name ?? ofAll ?? NONE}`;
}
