import { expect, test } from 'vitest';
import { lostCoverage } from './lost-coverage.ts';
import type { AdvancedEventSelector, EventSelector, Selectors } from './selectors.ts';

const basic = (...list: readonly Partial<EventSelector>[]): Selectors => ({
  eventSelectors: list.map((each) => ({ ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [], ...each })),
});
const advanced = (...list: readonly AdvancedEventSelector['FieldSelectors'][]): Selectors => ({
  advancedEventSelectors: list.map((FieldSelectors) => ({ FieldSelectors })),
});
const MANAGEMENT = [{ Field: 'eventCategory', Equals: ['Management'] }];
const objects = (...more: AdvancedEventSelector['FieldSelectors']) => [
  { Field: 'eventCategory', Equals: ['Data'] },
  { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
  ...more,
];
const s3 = (...Values: readonly string[]) => ({ DataResources: [{ Type: 'AWS::S3::Object', Values }] });

test.each<[name: string, before: Selectors, after: Selectors, lost: readonly string[]]>([
  ['the same in the other kind', {}, basic({}), []],
  [
    'reads and writes apart',
    {},
    basic({ ReadWriteType: 'WriteOnly' }, { ReadWriteType: 'ReadOnly' }),
    [
      'management events that do not say whether they read of kms.amazonaws.com',
      'management events that do not say whether they read of rdsdata.amazonaws.com',
      'management events that do not say whether they read of all other sources',
    ],
  ],
  [
    'a source left out',
    {},
    basic({ ExcludeManagementEventSources: ['kms.amazonaws.com'] }),
    [
      'read management events of kms.amazonaws.com',
      'write management events of kms.amazonaws.com',
      'management events that do not say whether they read of kms.amazonaws.com',
    ],
  ],
  ['data events more', {}, advanced(MANAGEMENT, objects()), []],
  [
    'one prefix less',
    basic(s3('arn:aws:s3:::a/', 'arn:aws:s3:::b/')),
    basic(s3('arn:aws:s3:::a/')),
    ['data events of AWS::S3::Object and resources.ARN StartsWith arn:aws:s3:::a/, arn:aws:s3:::b/'],
  ],
  [
    'a prefix in the other kind',
    basic(s3('arn:aws:s3:::a/')),
    advanced(MANAGEMENT, objects({ Field: 'resources.ARN', StartsWith: ['arn:aws:s3:::a/'] })),
    [],
  ],
  [
    'one more exception',
    advanced(MANAGEMENT, objects()),
    advanced(MANAGEMENT, objects({ Field: 'eventName', NotEquals: ['GetObject'] })),
    ['data events of AWS::S3::Object'],
  ],
  [
    'reads only',
    advanced(MANAGEMENT, objects()),
    advanced(MANAGEMENT, objects({ Field: 'readOnly', Equals: ['true'] })),
    ['write data events of AWS::S3::Object'],
  ],
  ['fewer conditions', advanced(MANAGEMENT, objects({ Field: 'eventName', Equals: ['A'] })), advanced(MANAGEMENT, objects()), []],
])('%s', (_, before, after, lost) => {
  expect(lostCoverage(before, after)).toEqual(lost);
});
