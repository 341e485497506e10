import { describe, expect, test } from 'vitest';
import { IntakeRig, OWNER } from '../../test/support/intake-rig.ts';
import type { Region } from '../event/types.ts';
import { createServiceRecorder } from './record-service-event.ts';

describe('createServiceRecorder', () => {
  test('what the server does by itself becomes an AwsServiceEvent of the owner, with details and resources', async () => {
    const rig = await IntakeRig.open();
    const event = {
      account: OWNER,
      region: 'eu-central-1' as Region,
      eventSource: 's3.amazonaws.com',
      eventName: 'LifecycleExpiration',
      category: 'Data' as const,
      details: { operation: 'S3.EXPIRE.OBJECT', key: 'a' },
      resources: [{ type: 'AWS::S3::Bucket', name: 'arn:aws:s3:::b', account: OWNER }],
    };
    await createServiceRecorder(rig.stores)([event, event]);
    const entries = await rig.journal.read(0n, 10);
    expect(entries.map(({ source, account }) => `${source} ${account}`)).toEqual([`own-call ${OWNER}`, `own-call ${OWNER}`]);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(2);
    expect(JSON.parse(new TextDecoder().decode(entries[0]!.bytes))).toEqual({
      eventVersion: '1.10',
      userIdentity: { accountId: OWNER, invokedBy: 's3.amazonaws.com' },
      eventTime: '2026-01-02T03:30:00Z',
      eventSource: 's3.amazonaws.com',
      eventName: 'LifecycleExpiration',
      awsRegion: 'eu-central-1',
      sourceIPAddress: 's3.amazonaws.com',
      userAgent: 's3.amazonaws.com',
      requestParameters: null,
      responseElements: null,
      eventID: entries[0]!.id,
      readOnly: false,
      resources: [{ accountId: OWNER, type: 'AWS::S3::Bucket', ARN: 'arn:aws:s3:::b' }],
      eventType: 'AwsServiceEvent',
      managementEvent: false,
      recipientAccountId: OWNER,
      serviceEventDetails: { operation: 'S3.EXPIRE.OBJECT', key: 'a' },
      eventCategory: 'Data',
    });
  });

  test('what a service changes by itself is a fact right behind its event, which says what the service says', async () => {
    const rig = await IntakeRig.open();
    const region = 'eu-central-1' as Region;
    const resource = `arn:aws:kms:eu-central-1:${OWNER}:key/k`;
    const changes = [{ resource, account: OWNER, region, before: { state: 'PendingDeletion' }, after: undefined }];
    const event = { account: OWNER, region, eventSource: 'kms.amazonaws.com', eventName: 'DeleteKey', origin: 'AWS Internal' };
    const more = { category: 'Management' as const, responseElements: { keyId: resource }, changes };
    await createServiceRecorder(rig.stores)([
      { ...event, ...more, resources: [{ type: 'AWS::KMS::Key', name: resource, account: OWNER }] },
    ]);
    const entries = await rig.journal.read(0n, 10);
    const [record, fact] = entries.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
    expect(record).toMatchObject({
      userIdentity: { accountId: OWNER, invokedBy: 'AWS Internal' },
      sourceIPAddress: 'AWS Internal',
      userAgent: 'AWS Internal',
      requestParameters: null,
      responseElements: { keyId: resource },
      eventType: 'AwsServiceEvent',
      managementEvent: true,
    });
    expect(record).not.toHaveProperty('serviceEventDetails');
    expect(fact).toEqual({
      version: 1,
      resource,
      event: 'DeleteKey',
      principal: 'AWS Internal',
      requestId: record.eventID,
      beforeSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      afterSha256: null,
    });
  });
});
