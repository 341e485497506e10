/**
 * IAM and STS on memory stores and a clock that the test moves: operations as their callers send them, without HTTP and without
 * asking who may.
 */
import { credentialFinder } from '../../src/access/find-credentials.ts';
import { entityResource } from '../../src/access/iam/entity-access.ts';
import { iamOperations } from '../../src/access/iam/operations.ts';
import { Identities } from '../../src/access/identities.ts';
import { KeyUses } from '../../src/access/key-uses.ts';
import { stsOperations } from '../../src/access/sts/operations.ts';
import type { AccessRequest } from '../../src/api/access.ts';
import type { Call, Decision, Operation, Principal } from '../../src/api/operation.ts';
import type { AccountId } from '../../src/event/types.ts';
import { createMemoryOutbound, type OutboundHandler } from '../../src/store/memory/outbound.ts';
import { PageTokens } from '../../src/store/page-tokens.ts';
import { callOf, IntakeRig, OWNER } from './intake-rig.ts';

export interface Keys {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken?: string;
}

export class IdentityRig {
  readonly intake: IntakeRig;
  readonly identities: Identities;
  readonly keyUses: KeyUses;
  readonly findCredentials: ReturnType<typeof credentialFinder>;
  /** Hosts that can be reached, by origin. */
  readonly hosts = new Map<string, OutboundHandler>();
  readonly #operations: ReadonlyMap<string, Operation<object>>;

  private constructor(intake: IntakeRig) {
    const { catalog, accounts, keys, clock, chance } = intake;
    this.intake = intake;
    this.identities = new Identities(catalog);
    this.keyUses = new KeyUses(catalog);
    this.findCredentials = credentialFinder({ accounts, identities: this.identities, keys });
    const deps = {
      identities: this.identities,
      keyUses: this.keyUses,
      accounts,
      keys,
      clock,
      chance,
      outbound: createMemoryOutbound({ clock, handlers: this.hosts }),
      realTimeMs: () => clock.nowMs(),
      tokens: new PageTokens(keys, chance),
    };
    this.#operations = new Map(
      [...iamOperations(deps), ...stsOperations(deps)].map((operation) => [operation.name, operation as Operation<object>]),
    );
  }

  /** An installation with its administrator and `OWNER`. */
  static async open(): Promise<IdentityRig> {
    return new IdentityRig(await IntakeRig.open());
  }

  /** What the caller of an operation must be allowed, with the condition keys that the resource brings. */
  async access(name: string, input: object, call: Call = callOf(OWNER)): Promise<readonly AccessRequest[]> {
    const requests = await this.#operations.get(name)!.access!(call, input);
    const findResource = entityResource(this.identities);
    return Promise.all(
      requests.map(async (request) => {
        const found = await findResource({ call, ...request });
        return { ...request, context: new Map([...(found?.context ?? []), ...(request.context ?? [])]) };
      }),
    );
  }

  async decide(name: string, input: object, call: Call = callOf(OWNER)): Promise<Decision<unknown>> {
    return this.#operations.get(name)!.decide(call, input);
  }

  /** Decides and carries out. @param caller An account, as its root, or somebody whose call it is. */
  async send<Output = unknown>(name: string, input: object, caller: AccountId | Principal = OWNER): Promise<Output> {
    const call = typeof caller === 'string' ? callOf(caller) : { ...callOf(caller.account), principal: caller };
    const { output, apply } = await this.decide(name, input, call);
    await apply?.();
    return output as Output;
  }

  /** The code of a refusal. */
  async refusal(name: string, input: object, caller: AccountId | Principal = OWNER): Promise<string> {
    return this.send(name, input, caller).then(
      () => 'not refused',
      (error: { code?: string }) => error.code ?? String(error),
    );
  }

  /** Who calls with these keys. */
  async principal({ AccessKeyId, SessionToken }: Keys): Promise<Principal | undefined> {
    return (await this.findCredentials(AccessKeyId, SessionToken))?.principal;
  }

  /** A user with a key. */
  async user(name: string): Promise<Principal> {
    await this.send('CreateUser', { UserName: name });
    const { AccessKey } = await this.send<{ AccessKey: Keys }>('CreateAccessKey', { UserName: name });
    return (await this.principal(AccessKey))!;
  }

  /** A role that the account's own may assume. */
  async role(name: string, account: AccountId = OWNER): Promise<string> {
    const trust = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: OWNER }, Action: 'sts:AssumeRole' }] };
    const { Role } = await this.send<{ Role: { Arn: string } }>(
      'CreateRole',
      { RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) },
      account,
    );
    return Role.Arn;
  }

  /** Who calls in the session that these keys are of. */
  async assume(caller: Principal, RoleArn: string, more: object = {}): Promise<Principal> {
    const { Credentials } = await this.send<{ Credentials: Keys }>('AssumeRole', { RoleArn, RoleSessionName: 'session', ...more }, caller);
    return (await this.principal(Credentials))!;
  }
}
