import { describe, expect, test } from 'vitest';
import type { EventView } from '../api/event-view.ts';
import { fieldColumns, parseFields, pickFields } from './event-fields.ts';
import { UsageError } from './exit.ts';
import { formatTable } from './table.ts';

const EVENT = {
  EventTime: '2026-11-20T14:00:07Z',
  EventName: 'PutObject',
  Username: 'alice',
  Resources: [{ ResourceName: 'logs' }],
  Record: JSON.stringify({
    eventName: 'PutObject',
    userIdentity: { type: 'IAMUser' },
    requestParameters: { bucketName: 'logs', 'x-amz-acl': null },
    resources: [{ ARN: 'arn:aws:s3:::logs' }],
  }),
} as unknown as EventView;

const pick = (text: string) => pickFields(parseFields(text), EVENT);

describe('--fields', () => {
  test('takes members of the view in any case of letters, and paths into the record, in the order given', () => {
    expect(Object.entries(pick('userIdentity.type, eventTIME,resources.0.ARN,Username'))).toEqual([
      ['userIdentity.type', 'IAMUser'],
      ['eventTIME', '2026-11-20T14:00:07Z'],
      ['resources.0.ARN', 'arn:aws:s3:::logs'],
      ['Username', 'alice'],
    ]);
  });

  test('leaves out what the event lacks, and shows it as a dash in a table', () => {
    expect(pick('Username,requestParameters.key,requestParameters.x-amz-acl,requestParameters')).toEqual({
      Username: 'alice',
      'requestParameters.x-amz-acl': null,
      requestParameters: { bucketName: 'logs', 'x-amz-acl': null },
    });
    const fields = parseFields('Username,constructor.name,requestParameters');
    expect(formatTable(fieldColumns(fields), [pickFields(fields, EVENT)])).toBe(
      'USERNAME  CONSTRUCTOR.NAME  REQUESTPARAMETERS\nalice     -                 {"bucketName":"logs","x-amz-acl":null}\n',
    );
  });

  test.each(['', 'Username,', 'a b', '.x', 'x..y', '$[0]', 'Username,Username'])('`%s` is refused with what is wrong', (text) => {
    expect(() => parseFields(text)).toThrow(UsageError);
  });
});
