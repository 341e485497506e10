import { describe, expect, test } from 'vitest';
import { readDimensions } from './dimensions.ts';

const ACCOUNT = '111122223333';

describe('readDimensions', () => {
  test('an event that says nothing has `(none)` everywhere, and no error', () => {
    const none = ['(none)'];
    const expected = { eventName: none, resourceARN: none, userIdentity: none, userAgent: none, sourceIpAddress: none, errorCodes: [] };
    expect(readDimensions({}, [])).toEqual(expected);
    expect(readDimensions({ eventName: '', userIdentity: 'root', userAgent: 7, errorCode: null }, [undefined])).toEqual(expected);
  });

  test.each([
    [{ type: 'AWSAccount', accountId: ACCOUNT, principalId: 'AIDA' }, `AWSAccount:${ACCOUNT}`],
    [{ type: 'AWSService', invokedBy: 'AWS Internal' }, 'AWSService:AWS Internal'],
    [{ type: 'AssumedRole', arn: 'arn:aws:sts::1:assumed-role/r/s', principalId: 'AROA:s' }, 'AssumedRole:arn:aws:sts::1:assumed-role/r/s'],
    [{ type: 'WebIdentityUser', principalId: 'issuer:app:user' }, 'WebIdentityUser:issuer:app:user'],
    [{ type: 'Root', accountId: ACCOUNT }, `Root:${ACCOUNT}`],
    [{ accountId: ACCOUNT }, `Unknown:${ACCOUNT}`],
    [{ type: 'Unknown' }, 'Unknown:(none)'],
  ])('the identity %j is `%s`', (userIdentity, expected) => {
    expect(readDimensions({ userIdentity }, []).userIdentity).toEqual([expected]);
  });

  test('an object in S3 is its bucket or access point, everything else is itself; each once', () => {
    const arns = [
      'arn:aws:s3:::b/some/key',
      'arn:aws:s3:::b',
      'arn:aws-cn:s3:::b/key',
      'arn:aws:s3:us-east-1:1:accesspoint/p/object/key',
      'arn:aws:dynamodb:us-east-1:1:table/t',
    ];
    expect(readDimensions({}, arns).resourceARN).toEqual([
      'arn:aws-cn:s3:::b',
      'arn:aws:dynamodb:us-east-1:1:table/t',
      'arn:aws:s3:::b',
      'arn:aws:s3:us-east-1:1:accesspoint/p',
    ]);
  });

  test('of more than 250 resources the others are one, and long values are cut', () => {
    const arns = Array.from({ length: 300 }, (_, at) => `arn:aws:x:::${String(at).padStart(3, '0')}`);
    const { resourceARN } = readDimensions({}, [...arns].reverse());
    expect(resourceARN).toEqual([...arns.slice(0, 250), '(other)']);
    const [userAgent] = readDimensions({ userAgent: 'x'.repeat(5_000) }, []).userAgent;
    expect(userAgent).toBe(`${'x'.repeat(1_023)}…`);
  });
});
