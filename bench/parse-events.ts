/**
 * Prints how fast untrusted records are read into events on one core, as a ratio of `JSON.parse` of the same bytes.
 *
 * Run: `node --experimental-strip-types bench/parse-events.ts` (Node 22.6 or newer runs it without the flag of Node 22.18 on;
 * on Node 20 bundle it first: `npx esbuild bench/parse-events.ts --bundle --platform=node --format=esm --outfile=dist/parse-events.mjs`).
 * Input: 20,000 records, varied copies of one workload record of 1.3 KB. Five rounds alternate with the reference; the
 * median and the range are printed.
 */
import { createHash } from 'node:crypto';
import { parseEvent } from '../src/event/parse-event.ts';
import type { AccountId, EventDefaults, Region } from '../src/event/types.ts';

const RECORDS = 20_000;
const ROUNDS = 5;
const defaults: EventDefaults = {
  account: '123456789012' as AccountId,
  region: 'us-east-1' as Region,
  nowMs: Date.parse('2025-09-24T02:12:00Z'),
};
const tools = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

const records = Array.from({ length: RECORDS }, (_, index) => new TextEncoder().encode(JSON.stringify(sampleRecord(index))));
const sizeBytes = records.reduce((sum, record) => sum + record.length, 0);

const ours: number[] = [];
const reference: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  reference.push(
    ratePerSecond(() => {
      for (const record of records) JSON.parse(Buffer.from(record.buffer, record.byteOffset, record.length).toString());
    }),
  );
  ours.push(
    ratePerSecond(() => {
      for (const record of records) if (parseEvent(record, defaults, tools).kind !== 'event') throw new Error('a record was refused');
    }),
  );
}
const ratio = median(ours) / median(reference);
console.log(
  `parse-events: ${ratio.toFixed(2)} of JSON.parse (${spread(ours)} against ${spread(reference)} records/s, mean ${Math.round(sizeBytes / RECORDS)} B)`,
);

function ratePerSecond(work: () => void): number {
  const from = performance.now();
  work();
  return (RECORDS / (performance.now() - from)) * 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function spread(values: readonly number[]): string {
  return `${Math.round(median(values))} [${Math.round(Math.min(...values))}–${Math.round(Math.max(...values))}]`;
}

function sampleRecord(index: number): object {
  const number = index.toString(16).padStart(12, '0');
  return {
    eventVersion: '1.08',
    userIdentity: {
      type: 'AssumedRole',
      principalId: `AROAEXAMPLEEXAMPLE00:session-${index % 97}`,
      arn: `arn:aws:sts::123456789012:assumed-role/workload/session-${index % 97}`,
      accountId: '123456789012',
      accessKeyId: `ASIAEXAMPLE${number.slice(-8).toUpperCase()}`,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: 'AROAEXAMPLEEXAMPLE00',
          arn: 'arn:aws:iam::123456789012:role/workload',
          accountId: '123456789012',
          userName: 'workload',
        },
        webIdFederationData: {},
        attributes: { creationDate: '2025-09-24T01:10:00Z', mfaAuthenticated: 'false' },
      },
    },
    eventTime: '2025-09-24T02:11:07Z',
    eventSource: 'kms.amazonaws.com',
    eventName: 'Decrypt',
    awsRegion: 'us-east-1',
    sourceIPAddress: '203.0.113.7',
    userAgent:
      'aws-sdk-java/2.20.45 Linux/5.10.0 OpenJDK_64-Bit_Server_VM/17.0.6+10 Java/17.0.6 vendor/Amazon.com_Inc. io/sync http/Apache',
    requestParameters: {
      encryptionContext: { 'aws:lambda:FunctionArn': 'arn:aws:lambda:us-east-1:123456789012:function:orders' },
      encryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    },
    responseElements: null,
    requestID: `11111111-2222-3333-4444-${number}`,
    eventID: `aaaaaaaa-bbbb-4ccc-8ddd-${number}`,
    readOnly: true,
    resources: [
      {
        accountId: '123456789012',
        type: 'AWS::KMS::Key',
        ARN: 'arn:aws:kms:us-east-1:123456789012:key/0f9c1c3e-6d0a-4b1e-9f2e-aaaaaaaaaaaa',
      },
    ],
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: '123456789012',
    eventCategory: 'Management',
    tlsDetails: { tlsVersion: 'TLSv1.3', cipherSuite: 'TLS_AES_256_GCM_SHA384', clientProvidedHostHeader: 'kms.us-east-1.amazonaws.com' },
  };
}
