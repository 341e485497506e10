/**
 * An event's record as selectors see it: what was read of it before, and the whole record only when a selector asks for more.
 *
 * The record is untrusted. Of a data event without `resources[]`, the resource is taken from what the call names, for the three services
 * that basic selectors know: without that such an event would be in no log file.
 * Source: cloudtrail.md §1.2, §4.3.
 */
import { arrayMember, booleanMember, isJsonObject, objectMember, textMember } from '../event/members.ts';
import type { EventBrief } from '../event/read-brief.ts';
import type { AccountId, JsonObject, Region } from '../event/types.ts';
import type { EventField, SelectableEvent, SelectableResource } from './compile-selectors.ts';

/** Whose event it is and where it was recorded. */
export interface EventPlace {
  readonly account: AccountId;
  readonly region: Region;
}

export class SelectableRecord implements SelectableEvent {
  readonly category: EventBrief['category'];
  readonly #brief: EventBrief;
  readonly #place: EventPlace;
  readonly #read: () => JsonObject;
  #record: JsonObject | undefined;
  #resources: readonly SelectableResource[] | undefined;

  /** @param read Parses the record; called once at most. */
  constructor(brief: EventBrief, place: EventPlace, read: () => JsonObject) {
    this.category = brief.category;
    this.#brief = brief;
    this.#place = place;
    this.#read = read;
  }

  readonly text = (field: EventField): string | undefined => {
    const { eventName, eventSource, isReadOnly } = this.#brief;
    switch (field) {
      case 'eventName':
        return eventName === '' ? undefined : eventName;
      case 'eventSource':
        return eventSource === '' ? undefined : eventSource;
      case 'readOnly':
        return isReadOnly === undefined ? undefined : String(isReadOnly);
      case 'userIdentity.arn':
        return textMember(objectMember(this.#whole(), 'userIdentity'), 'arn');
      case 'sessionCredentialFromConsole': {
        const isFromConsole = booleanMember(this.#whole(), field);
        return isFromConsole === undefined ? undefined : String(isFromConsole);
      }
      case 'eventType':
      case 'errorCode':
      case 'vpcEndpointId':
        return textMember(this.#whole(), field);
    }
  };

  readonly resources = (): readonly SelectableResource[] => {
    this.#resources ??= resourcesOf(this.#whole(), this.#place);
    return this.#resources;
  };

  /** True when the event is CloudTrail's own delivery of log files or log events (cloudtrail.md §7.9). */
  isDelivery(): boolean {
    const { eventName, eventSource } = this.#brief;
    const isPut =
      (eventName === 'PutObject' && eventSource === 's3.amazonaws.com') ||
      (eventName === 'PutLogEvents' && eventSource === 'logs.amazonaws.com');
    return isPut && textMember(objectMember(this.#whole(), 'userIdentity'), 'invokedBy') === 'cloudtrail.amazonaws.com';
  }

  #whole(): JsonObject {
    this.#record ??= this.#read();
    return this.#record;
  }
}

function resourcesOf(record: JsonObject, place: EventPlace): readonly SelectableResource[] {
  const listed = (arrayMember(record, 'resources') ?? []).filter(isJsonObject).map((item) => ({
    type: textMember(item, 'type'),
    arn: textMember(item, 'ARN') ?? textMember(item, 'arn') ?? textMember(item, 'ARNPrefix'),
  }));
  return listed.length > 0 ? listed : namedResources(record, place);
}

function namedResources(record: JsonObject, { account, region }: EventPlace): readonly SelectableResource[] {
  const request = objectMember(record, 'requestParameters');
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  const named = (type: string, name: string | undefined, arn: (name: string) => string): readonly SelectableResource[] =>
    name === undefined ? [] : [{ type, arn: name.startsWith('arn:') ? name : arn(name) }];
  switch (textMember(record, 'eventSource')) {
    case 's3.amazonaws.com': {
      const key = textMember(request, 'key') ?? '';
      return named('AWS::S3::Object', textMember(request, 'bucketName'), (bucket) => `arn:${partition}:s3:::${bucket}/${key}`);
    }
    case 'lambda.amazonaws.com':
      return named(
        'AWS::Lambda::Function',
        textMember(request, 'functionName'),
        (name) => `arn:${partition}:lambda:${region}:${account}:function:${name}`,
      );
    case 'dynamodb.amazonaws.com':
      return named(
        'AWS::DynamoDB::Table',
        textMember(request, 'tableName'),
        (name) => `arn:${partition}:dynamodb:${region}:${account}:table/${name}`,
      );
    default:
      return [];
  }
}
