import { describe, expect, test } from 'vitest';
import { formatArn, parseArn, resourceNameOf } from './arn.ts';

describe('parseArn', () => {
  test('the resource keeps its own colons and slashes', () => {
    expect(parseArn('arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*')).toEqual({
      partition: 'aws',
      service: 'logs',
      region: 'eu-west-1',
      account: '123456789012',
      resource: 'log-group:/aws/lambda/orders:*',
    });
  });

  test.each(['', 'arn', 'arn:aws', 'arn:aws:s3:::', 'arn::s3:::b', 'arn:aws::::b', 'urn:aws:s3:::b', ' arn:aws:s3:::b'])(
    '`%s` is not an ARN',
    (text) => {
      expect(parseArn(text)).toBeUndefined();
    },
  );

  test('writing the parts gives the text back', () => {
    for (const text of ['arn:aws:s3:::bucket/a:b/c', 'arn:aws-us-gov:iam::123456789012:role/service-role/x']) {
      expect(formatArn(parseArn(text)!)).toBe(text);
    }
  });
});

describe('resourceNameOf', () => {
  test.each([
    ['arn:aws:s3:::snowy-pii', 'snowy-pii'],
    ['arn:aws:s3:::snowy-pii/', 'snowy-pii'],
    ['arn:aws:s3:::snowy-pii/2025/09/list.csv', '2025/09/list.csv'],
    ['arn:aws:iam::123456789012:role/service-role/Admin', 'Admin'],
    ['arn:aws:lambda:us-east-1:123456789012:function:orders', 'orders'],
    ['arn:aws:kms:us-east-1:123456789012:key/0f9c1c3e', '0f9c1c3e'],
    ['arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*', '/aws/lambda/orders'],
    ['arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf', 'prod/db-AbCdEf'],
    ['arn:aws:ssm:us-east-1:123456789012:parameter/prod/db', '/prod/db'],
    ['arn:aws:ssm:us-east-1:123456789012:parameter/db', 'db'],
    ['arn:aws:sns:us-east-1:123456789012:topic', 'topic'],
    ['i-0123456789', 'i-0123456789'],
    ['arn:aws:x:::/', '/'],
  ])('%s is called %s', (arn, name) => {
    expect(resourceNameOf(arn)).toBe(name);
  });
});
