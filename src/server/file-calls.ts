/**
 * Calls that the server makes for its configuration file: as the root of the account that a change is in.
 *
 * They go the way of every call (`http/run-call.ts`): authorized, and on record before they take effect. The record says what they
 * are: the key id and the user agent are `snowtrail.yaml`, the address is `AWS Internal`.
 */
import type { Accounts } from '../access/accounts.ts';
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { AccountId, Json, JsonObject, Region } from '../event/types.ts';
import { MADE_HERE, runOperation } from '../http/dispatch.ts';
import type { Service } from '../http/ports.ts';
import type { Recording } from '../http/run-call.ts';
import type { Chance, Clock } from '../store/clock.ts';

const FILE = 'snowtrail.yaml';
/** Region of the calls of services that have no Regions. */
const GLOBAL_REGION = 'us-east-1' as Region;

/** A key that was made for a user whom the file names. */
export interface NewUserKey {
  readonly account: AccountId;
  readonly userName: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface FileCallDeps {
  readonly accounts: Accounts;
  readonly services: ReadonlyMap<string, Service>;
  readonly recording: Recording;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly region: Region;
  /** Keeps a key where only the operator can read it. Called before the key can be used. */
  readonly keepUserKey: (key: NewUserKey) => Promise<void>;
}

/** A call for the file. `place` is the setting that asks for it, such as `identities.111122223333.users.alice`. */
export interface FileCall {
  readonly account: AccountId;
  readonly service: 'iam' | 'organizations' | 'snowtrail';
  readonly name: string;
  readonly input: JsonObject;
  readonly place: string;
}

/** The file asks for something that cannot be. `message` names the setting and says what to do. */
export class FileConflict extends Error {
  override readonly name = 'FileConflict';

  constructor(place: string, reason: string, cause?: unknown) {
    super(
      `the configuration file cannot be applied at \`${place}\`: ${reason}\n` +
        'what was made before that holds, and is on record; change the file, or what it names, and start again',
      { cause },
    );
  }
}

/** Makes one call after the other. @throws FileConflict when one is refused. */
export type MakeFileCall = (call: FileCall) => Promise<Json>;

export function fileCaller(deps: FileCallDeps): MakeFileCall {
  const { accounts, services, recording, clock, chance } = deps;
  return async ({ account, service: serviceName, name, input, place }) => {
    const service = services.get(serviceName)!;
    const call = {
      principal: accounts.rootOf(account, FILE),
      account,
      region: serviceName === 'snowtrail' ? deps.region : GLOBAL_REGION,
      requestId: chance.uuid(),
      sourceIpAddress: 'AWS Internal',
      userAgent: FILE,
      receivedAtMs: clock.nowMs(),
    };
    const named = { name, readInput: () => (service.protocol === 'query' ? parametersOf(input) : input) };
    const used = serviceName === 'iam' ? keepingKeys(service, deps) : service;
    try {
      return await runOperation(recording, used, call, named, { body: new Uint8Array(), signed: MADE_HERE });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new FileConflict(place, `${name}: ${error.message} (${error.code})`, error);
    }
  };
}

/** IAM, with keys that are first kept and then valid: a crash between leaves a file that the next start writes anew. */
function keepingKeys(iam: Service, { keepUserKey }: Pick<FileCallDeps, 'keepUserKey'>): Service {
  const create = iam.operations.get('CreateAccessKey')!;
  const keeping: Operation<object> = {
    ...create,
    decide: async (call, input) => {
      const decision = await create.decide(call, input);
      const { AccessKey } = decision.output as { AccessKey: { UserName: string; AccessKeyId: string; SecretAccessKey: string } };
      const { UserName: userName, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = AccessKey;
      return {
        ...decision,
        apply: async () => {
          await keepUserKey({ account: call.account, userName, accessKeyId, secretAccessKey });
          await decision.apply?.();
        },
      };
    },
  };
  return { ...iam, operations: new Map([...iam.operations, [create.name, keeping as Operation<unknown>]]) };
}

/** The input as a client of the query protocol writes it: `Tags.member.1.Key`. */
export function parametersOf(input: JsonObject): Record<string, string> {
  const written = (name: string, value: Json | undefined): [string, string][] => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return (value as readonly Json[]).flatMap((item, index) => written(`${name}.member.${index + 1}`, item));
    if (typeof value === 'object')
      return Object.entries(value as JsonObject).flatMap(([member, item]) => written(`${name}.${member}`, item));
    return [[name, String(value)]];
  };
  return Object.fromEntries(Object.entries(input).flatMap(([name, value]) => written(name, value)));
}
