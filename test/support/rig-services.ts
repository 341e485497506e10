/**
 * A few operations behind every protocol, for tests of the HTTP side: they keep names in a list.
 */
import { ApiError } from '../../src/api/api-error.ts';
import { operationNames } from '../../src/api/model.ts';
import type { Operation } from '../../src/api/operation.ts';
import { decodeInput, encodeOutput } from '../../src/api/validate-input.ts';
import type { Json } from '../../src/event/types.ts';
import type { Service } from '../../src/http/ports.ts';
import { operationTable } from './http-rig.ts';

/** What the operations changed. */
export interface RigState {
  readonly trails: string[];
}

export function rigServices(state: RigState): readonly (readonly [string, Service])[] {
  const createTrail: Operation<{ Name: string; S3BucketName: string }, object> = {
    name: 'CreateTrail',
    isReadOnly: false,
    decide: async (_call, input) => {
      if (state.trails.includes(input.Name)) throw new ApiError('TrailAlreadyExistsException', `Trail ${input.Name} already exists`);
      return {
        output: { Name: input.Name, S3BucketName: input.S3BucketName },
        apply: async () => {
          if (input.Name === 'lost-race') throw new ApiError('ConflictException', 'another change came first');
          state.trails.push(input.Name);
        },
      };
    },
  };
  const listTrails: Operation<object, object> = {
    name: 'ListTrails',
    isReadOnly: true,
    decide: async () => ({ output: { Trails: state.trails.map((Name) => ({ Name })) } }),
  };
  const breakDown: Operation<object, object> = {
    name: 'GetTrail',
    isReadOnly: true,
    decide: async () => {
      throw new Error('canary-secret-in-a-bug');
    },
  };
  const getCallerIdentity: Operation<object, object> = {
    name: 'GetCallerIdentity',
    isReadOnly: true,
    decide: async (call) => ({ output: { Account: call.account, Arn: call.principal.arn, UserId: call.principal.principalId } }),
  };
  const createKey: Operation<object, object> = {
    name: 'CreateAccessKey',
    isReadOnly: false,
    refusesReplay: { afterMs: 0 },
    decide: async () => ({ output: { AccessKey: { AccessKeyId: 'AKIANEW', SecretAccessKey: 'canary-secret' } } }),
  };
  const modelled = new Set(operationNames());
  return [
    [
      'cloudtrail',
      {
        protocol: 'aws-json',
        eventSource: 'cloudtrail.amazonaws.com',
        apiVersion: '2013-11-01',
        operations: operationTable(createTrail, listTrails, breakDown),
        modelled,
        decodeInput,
        encodeOutput: (operation, output): Json => encodeOutput(operation, output as object),
      },
    ],
    [
      'cloudtrail-data',
      { protocol: 'rest-json', eventSource: 'cloudtrail-data.amazonaws.com', operations: new Map(), modelled: new Set(['PutAuditEvents']) },
    ],
    [
      'sts',
      {
        protocol: 'query',
        eventSource: 'sts.amazonaws.com',
        apiVersion: '2011-06-15',
        namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
        operations: operationTable(getCallerIdentity),
      },
    ],
    ['snowtrail', { protocol: 'snowtrail', eventSource: 'snowtrail.amazonaws.com', operations: operationTable(createKey) }],
  ];
}
