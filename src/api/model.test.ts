import { describe, expect, test } from 'vitest';
import { errorStatus } from './errors.ts';
import { errorModel, errorNames, operationModel, operationNames, shapeOf } from './model.ts';
import type { Shape } from './model-types.ts';

describe('the model', () => {
  test('has the 60 operations of CloudTrail and the one of CloudTrail Data', () => {
    const services = operationNames().map((name) => operationModel(name)!.service);
    expect([
      services.filter((service) => service === 'cloudtrail').length,
      services.filter((service) => service === 'cloudtrail-data').length,
    ]).toEqual([60, 1]);
  });

  test('has 86 exceptions of CloudTrail, and the data service adds five', () => {
    expect(errorNames().filter((name) => errorModel(name)!.queryCode !== undefined)).toHaveLength(86);
    expect(errorNames()).toHaveLength(91);
  });

  test('every shape that an operation refers to is there', () => {
    const seen = new Set<string>();
    const visit = (name: string | undefined): void => {
      if (name === undefined || seen.has(name)) return;
      seen.add(name);
      referred(shapeOf(name)).forEach(visit);
    };
    for (const name of operationNames()) {
      visit(operationModel(name)!.input);
      visit(operationModel(name)!.output);
    }
    expect(seen.size).toBeGreaterThan(250);
  });

  test('has the members that only newer clients send', () => {
    for (const name of ['CreateTrailRequest', 'CreateTrailResponse', 'UpdateTrailRequest', 'UpdateTrailResponse', 'Trail']) {
      expect(shapeOf(name)).toMatchObject({ members: { RecursiveLogging: 'Boolean' } });
    }
  });

  test('does not know the names of `Object.prototype`', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect([operationModel(name), errorModel(name)]).toEqual([undefined, undefined]);
    }
  });
});

function referred(shape: Shape): string[] {
  if (shape.type === 'structure') return Object.values(shape.members);
  if (shape.type === 'list') return [shape.member];
  return shape.type === 'map' ? [shape.key, shape.value] : [];
}

describe('errorStatus', () => {
  test.each([
    ['TrailNotFoundException', 404],
    ['S3BucketDoesNotExistException', 404],
    ['MaximumNumberOfTrailsExceededException', 403],
    ['InsufficientS3BucketPolicyException', 403],
    ['NotOrganizationMasterAccountException', 400],
    ['ConflictException', 409],
    ['ThrottlingException', 429],
    ['ResourceNotFoundException', 400],
    ['KmsKeyNotFoundException', 400],
    ['InvalidTrailNameException', 400],
    ['AccessDeniedException', 403],
    ['ChannelNotFound', 400],
    ['SerializationException', 400],
    ['ValidationException', 400],
    ['InvalidSignatureException', 403],
    ['UnknownOperationException', 404],
    ['RequestEntityTooLargeException', 413],
    ['InternalFailure', 500],
    ['constructor', 400],
  ])('of %s is %i', (code, status) => {
    expect(errorStatus(code)).toBe(status);
  });
});
