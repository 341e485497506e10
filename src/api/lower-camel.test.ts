import { describe, expect, test } from 'vitest';
import { formatShortTime, toRequestParameters, toResponseElements } from './lower-camel.ts';

describe('the record of an own call', () => {
  // Request and answer of a CreateTrail as the service recorded it (invictus-ir/aws_dataset, MIT; names shortened).
  test('has the members of CreateTrail as the service writes them', () => {
    const input = {
      Name: 'trail',
      S3BucketName: 'bucket',
      IncludeGlobalServiceEvents: true,
      TagsList: [{ Key: 'StratusRedTeam', Value: 'true' }],
    };
    const output = {
      Name: 'trail',
      S3BucketName: 'bucket',
      IncludeGlobalServiceEvents: true,
      IsMultiRegionTrail: false,
      TrailARN: 'arn:aws:cloudtrail:us-east-1:123837392027:trail/trail',
      LogFileValidationEnabled: false,
      IsOrganizationTrail: false,
    };
    expect(JSON.stringify(toRequestParameters('CreateTrail', input))).toBe(
      '{"name":"trail","s3BucketName":"bucket","includeGlobalServiceEvents":true,"tagsList":[{"key":"StratusRedTeam","value":"true"}]}',
    );
    expect(JSON.stringify(toResponseElements('CreateTrail', output))).toBe(
      '{"name":"trail","s3BucketName":"bucket","includeGlobalServiceEvents":true,"isMultiRegionTrail":false,"trailARN":"arn:aws:cloudtrail:us-east-1:123837392027:trail/trail","logFileValidationEnabled":false,"isOrganizationTrail":false}',
    );
  });

  test('has lists, times and attributes of LookupEvents', () => {
    const input = {
      LookupAttributes: [{ AttributeKey: 'ReadOnly', AttributeValue: 'false' }],
      StartTime: new Date('2023-07-10T11:50:00Z'),
      MaxResults: 5,
    };
    expect(toRequestParameters('LookupEvents', input)).toEqual({
      lookupAttributes: [{ attributeKey: 'ReadOnly', attributeValue: 'false' }],
      startTime: 'Jul 10, 2023, 11:50:00 AM',
      maxResults: 5,
    });
  });

  test('is null where nothing was sent or answered, and keeps an empty list', () => {
    expect([
      toRequestParameters('DescribeTrails', {}),
      toResponseElements('StartLogging', {}),
      toRequestParameters('GetTrail', { Name: undefined }),
    ]).toEqual([null, null, null]);
    expect(toRequestParameters('DescribeTrails', { trailNameList: [], includeShadowTrails: true })).toEqual({
      trailNameList: [],
      includeShadowTrails: true,
    });
  });

  test('keeps the names that a client chose', () => {
    expect(
      toRequestParameters('StartDashboardRefresh', { DashboardId: 'd', QueryParameterValues: { $StartTime$: 'x', Key: 'y' } }),
    ).toEqual({
      dashboardId: 'd',
      queryParameterValues: { $StartTime$: 'x', Key: 'y' },
    });
  });

  test('of a service that is not in the model has the member that its operation reads, and not another one in its place', () => {
    expect(toRequestParameters('ApproveChange', { ApprovalId: 'apr-1', approvalId: 'apr-2' })).toEqual({ approvalId: 'apr-1' });
  });

  test('of a service that is not in the model has every member lowered', () => {
    expect(
      toResponseElements('GetCallerIdentity', {
        UserId: 'u',
        Account: '123456789012',
        Arn: 'a',
        Nested: [{ KeyData: new Uint8Array([1]) }],
      }),
    ).toEqual({
      userId: 'u',
      account: '123456789012',
      arn: 'a',
      nested: [{ keyData: 'AQ==' }],
    });
  });
});

test('formatShortTime writes English short form in UTC', () => {
  const times = ['2023-07-10T00:00:00Z', '2023-07-10T12:00:09Z', '2023-12-01T23:59:59.999Z', '2021-01-22T00:46:28Z'];
  expect(times.map((time) => formatShortTime(Date.parse(time)))).toEqual([
    'Jul 10, 2023, 12:00:00 AM',
    'Jul 10, 2023, 12:00:09 PM',
    'Dec 1, 2023, 11:59:59 PM',
    'Jan 22, 2021, 12:46:28 AM',
  ]);
});
