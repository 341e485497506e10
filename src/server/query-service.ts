/**
 * IAM and STS as services of the query protocol: their models in front of their operations.
 */
import { queryService as modelOf } from '../api/model.ts';
import type { Operation } from '../api/operation.ts';
import { decodeQuery, encodeQuery } from '../api/query-codec.ts';
import type { Json, Region } from '../event/types.ts';
import type { Service } from '../http/ports.ts';

const FACTS = {
  // It has no Regions: its calls are recorded in the Region of global services.
  iam: { apiVersion: '2010-05-08', namespace: 'https://iam.amazonaws.com/doc/2010-05-08/', region: 'us-east-1' as Region },
  sts: { apiVersion: '2011-06-15', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' },
} as const;

export function queryService(name: 'iam' | 'sts', operations: readonly Operation[]): Service {
  const model = modelOf(name);
  return {
    protocol: 'query',
    eventSource: `${name}.amazonaws.com`,
    ...FACTS[name],
    operations: new Map(operations.map((operation) => [operation.name, operation as Operation<unknown>])),
    modelled: new Set(model.names),
    // The reader of the protocol gives texts by their names.
    decodeInput: (operation, json) => decodeQuery(model, operation, json as Readonly<Record<string, string>>),
    encodeOutput: (operation, output) => encodeQuery(model, operation, output as object) as Json,
  };
}
