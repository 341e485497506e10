/**
 * SNS as a service of the server.
 */
import type { Operation } from '../api/operation.ts';
import type { Service } from '../http/ports.ts';
import { snsOperations, UNBUILT_SNS_OPERATIONS } from '../sns/operations.ts';
import type { SnsDeps } from '../sns/sns-deps.ts';

export function snsService(deps: SnsDeps): Service {
  return {
    protocol: 'query',
    eventSource: 'sns.amazonaws.com',
    apiVersion: '2010-03-31',
    namespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    operations: new Map(snsOperations(deps).map((operation) => [operation.name, operation as Operation<unknown>])),
    modelled: UNBUILT_SNS_OPERATIONS,
  };
}
