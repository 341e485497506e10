/**
 * `PutResourcePolicy`, `GetResourcePolicy`, `DeleteResourcePolicy`: policies of event data stores, channels and dashboards.
 *
 * There are none of these yet, so each call ends in the refusal that the service gives for what is not there. A trail can have no
 * policy; a policy that cannot be read is refused before.
 * Source: cloudtrail.md §8.10.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import { parsePolicy } from '../policy/parse-policy.ts';

interface ResourcePolicyInput {
  readonly ResourceArn?: string;
  readonly ResourcePolicy?: string;
}

export const resourcePolicyOperations: readonly Operation[] = [
  resourcePolicyOperation('PutResourcePolicy', ({ ResourcePolicy = '' }) => {
    const parsed = parsePolicy(ResourcePolicy);
    if (parsed.kind === 'malformed')
      throw new ApiError('ResourcePolicyNotValidException', `The resource policy is not valid: ${parsed.reason}`);
  }),
  resourcePolicyOperation('GetResourcePolicy'),
  resourcePolicyOperation('DeleteResourcePolicy'),
] as readonly Operation[];

function resourcePolicyOperation(name: string, check: (input: ResourcePolicyInput) => void = () => {}): Operation<ResourcePolicyInput> {
  return {
    name,
    isReadOnly: name.startsWith('Get'),
    access: (_call, input) => {
      const resource = requireArn(input.ResourceArn ?? '');
      check(input);
      return [{ action: `cloudtrail:${name}`, resource }];
    },
    decide: async (_call, { ResourceArn = '' }) => {
      const kind = kindOf(ResourceArn);
      if (kind === 'eventdatastore' || kind === 'channel' || kind === 'dashboard')
        throw new ApiError('ResourceNotFoundException', `Unknown resource: ${ResourceArn}`);
      throw new ApiError('ResourceTypeNotSupportedException', `A resource of the type ${kind} cannot have a resource policy.`);
    },
  };
}

function requireArn(arn: string): string {
  if (kindOf(arn) !== undefined) return arn;
  throw new ApiError(
    'ResourceARNNotValidException',
    `The resource ARN is not valid: \`${arn.slice(0, 256)}\` is of no resource of CloudTrail.`,
  );
}

function kindOf(arn: string): string | undefined {
  return /^arn:aws:cloudtrail:[a-z0-9-]{1,32}:\d{12}:([a-z]+)\/./.exec(arn)?.[1];
}
