/**
 * Prints how many events a second one core holds against 5 selectors with 500 conditions, as a ratio to `JSON.parse` of their records.
 *
 * Run: `node bench/run.mjs selectors`. Input: 20,000 events that were read before; two thirds data events of two types, the rest management
 * events. Four data selectors have some 125 values each: whole ARNs,
 * beginnings, endings and exceptions; the fifth selector is of management events. Five rounds alternate with the reference; the median and the range are printed.
 */
import { compileSelectors, type EventField, type SelectableEvent } from '../src/selector/compile-selectors.ts';
import { readSelectors } from '../src/selector/read-selectors.ts';
import type { FieldSelector } from '../src/selector/selectors.ts';

const EVENTS = 20_000;
const ROUNDS = 5;
const REPEATS = 20;
const BUCKET = 'arn:aws:s3:::evidence-of-the-winter-games';
const TABLE = 'arn:aws:dynamodb:eu-central-1:111122223333:table/orders-of-the-winter-games';

const values = (count: number, text: (index: number) => string) => Array.from({ length: count }, (_, index) => text(index));
const data = (type: string, ...more: readonly FieldSelector[]) => ({
  FieldSelectors: [{ Field: 'eventCategory', Equals: ['Data'] }, { Field: 'resources.type', Equals: [type] }, ...more],
});
const selectors = readSelectors({
  AdvancedEventSelectors: [
    {
      FieldSelectors: [
        { Field: 'eventCategory', Equals: ['Management'] },
        { Field: 'eventSource', NotEquals: ['kms.amazonaws.com'] },
      ],
    },
    data('AWS::S3::Object', { Field: 'resources.ARN', StartsWith: values(122, (index) => `${BUCKET}/even/${index * 2}/`) }),
    data('AWS::S3::Object', { Field: 'resources.ARN', EndsWith: values(123, (index) => `/${index}.parquet`) }),
    data('AWS::DynamoDB::Table', { Field: 'resources.ARN', Equals: values(123, (index) => `${TABLE}-${index * 2}`) }),
    data(
      'AWS::DynamoDB::Table',
      { Field: 'eventName', NotEquals: values(121, (index) => `GetItem${index}`) },
      { Field: 'readOnly', Equals: ['false'] },
    ),
  ],
});
const takes = compileSelectors(selectors);
const samples = Array.from({ length: EVENTS }, (_, index) => sample(index));
const events = samples.map(eventOf);
const records = samples.map((each) => JSON.stringify({ ...each, requestParameters: { text: 'x'.repeat(900) } }));

let taken = 0;
const ours: number[] = [];
const reference: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  reference.push(
    ratePerSecond(1, () => {
      for (const record of records) JSON.parse(record);
    }),
  );
  ours.push(
    ratePerSecond(REPEATS, () => {
      for (const event of events) if (takes(event)) taken++;
    }),
  );
}
console.log(
  `selectors: ${(median(ours) / median(reference)).toFixed(1)} of JSON.parse (${spread(ours)} against ${spread(reference)} events/s, ${Math.round((100 * taken) / (EVENTS * ROUNDS * REPEATS))} % taken)`,
);

function sample(index: number) {
  const kind = index % 3;
  const isRead = index % 2 === 0;
  const resources = [
    [],
    [
      { type: 'AWS::S3::Object', arn: `${BUCKET}/even/${index % 250}/${index}.json` },
      { type: 'AWS::S3::Bucket', arn: BUCKET },
    ],
    [{ type: 'AWS::DynamoDB::Table', arn: `${TABLE}-${index % 400}` }],
  ][kind]!;
  const eventName = ['DescribeInstances', 'GetObject', 'GetItem'][kind]!;
  return { category: kind === 0 ? ('Management' as const) : ('Data' as const), eventName, readOnly: String(isRead), resources };
}

function eventOf({ category, eventName, readOnly, resources }: ReturnType<typeof sample>): SelectableEvent {
  const text = (field: EventField) => {
    switch (field) {
      case 'eventName':
        return eventName;
      case 'readOnly':
        return readOnly;
      case 'eventSource':
        return 'ec2.amazonaws.com';
      default:
        return undefined;
    }
  };
  return { category, text, resources: () => resources };
}

function ratePerSecond(times: number, work: () => void): number {
  const from = performance.now();
  for (let time = 0; time < times; time++) work();
  return ((EVENTS * times) / (performance.now() - from)) * 1000;
}

function median(rates: readonly number[]): number {
  return [...rates].sort((one, other) => one - other)[Math.floor(rates.length / 2)]!;
}

function spread(rates: readonly number[]): string {
  return `${Math.round(median(rates))} [${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}]`;
}
