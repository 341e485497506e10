/**
 * KMS as a service of the server.
 */
import type { Operation } from '../api/operation.ts';
import type { Service } from '../http/ports.ts';
import { encodeKmsOutput } from '../kms/encode-output.ts';
import type { KmsDeps } from '../kms/kms-deps.ts';
import { kmsOperations, UNBUILT_KMS_OPERATIONS } from '../kms/operations.ts';
import { readKmsInput } from '../kms/read-input.ts';
import { recordMembers } from '../kms/record-input.ts';

export function kmsService(deps: KmsDeps): Service {
  return {
    protocol: 'aws-json',
    eventSource: 'kms.amazonaws.com',
    operations: new Map(kmsOperations(deps).map((operation) => [operation.name, operation as Operation<unknown>])),
    modelled: UNBUILT_KMS_OPERATIONS,
    decodeInput: readKmsInput,
    recordInput: (_operation, input) => recordMembers(input),
    encodeOutput: (_operation, output) => encodeKmsOutput(output),
  };
}
