/**
 * `ExplainAccess` (service `snowtrail`): whether somebody may do something now, and which statement decides.
 *
 * It asks the choke point itself, which finds the resource's policy and tags as for a call. What only the call brings (its address, the
 * parameters of S3, an encryption context, request tags) is as the caller says in `Context`.
 * Of the caller's own account; of any account for the administrators. A principal of others looks as if it were not there. Of a resource of
 * another account it tells no more than a call would: whether, not by which statement, and not for an address or an organization that is made up.
 * Source: features.md ID5.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation, Principal } from '../api/operation.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import { explainVerdict } from '../policy/explain-verdict.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { Accounts } from './accounts.ts';
import { type Authorizer, type Decided, decisionOf, ROOTS_ASSUME_NOTHING } from './authorize.ts';
import type { Identities } from './identities.ts';
import { entityArn, parseIamArn } from './identity-documents.ts';

export interface ExplainDeps {
  readonly accounts: Accounts;
  readonly identities: Identities;
  readonly authorizer: Pick<Authorizer, 'explain'>;
}

interface ExplainInput {
  readonly PrincipalArn?: unknown;
  readonly Action?: unknown;
  readonly Resource?: unknown;
  readonly Context?: unknown;
  /** JSON of the policy that narrows the session of a role. */
  readonly SessionPolicy?: unknown;
}

interface ExplainOutput {
  readonly PrincipalArn: string;
  readonly Action: string;
  readonly Resource: string;
  readonly Outcome: 'allowed' | 'denied' | 'not-allowed';
  /** One sentence. */
  readonly Explanation: string;
  readonly PolicyType?: string;
  readonly Policy?: string;
  readonly Statement?: string;
}

const CONTEXT_KEYS_MAX = 50;
/** Condition keys that every caller chooses the values of, by what it sends. */
const OF_PARAMETERS =
  /^(?:s3:(?!resourceaccount|buckettag|dataaccesspoint)|kms:encryptioncontext|aws:(?:requesttag\/|tagkeys$|useragent$|referer$)|sts:(?:externalid|rolesessionname|sourceidentity|transitivetagkeys)$)/;

export function explainAccess(deps: ExplainDeps): Operation<ExplainInput, ExplainOutput> {
  return {
    name: 'ExplainAccess',
    isReadOnly: true,
    decide: async (call, input) => {
      const arn = textOf(input.PrincipalArn, 'PrincipalArn');
      const action = textOf(input.Action, 'Action');
      if (!/^[a-z0-9-]+:[A-Za-z0-9]+$/i.test(action)) throw invalid('Action must be one action, such as `cloudtrail:StopLogging`');
      const resource = input.Resource === undefined ? '*' : textOf(input.Resource, 'Resource');
      const principal = withSessionPolicy(await findPrincipal(deps, call, arn), call, input.SessionPolicy);
      const asked: Call = { ...call, principal, account: principal.account };
      const context = contextOf(input.Context);
      const explained = await deps.authorizer.explain(asked, { action, resource, context });
      const isTheirs = explained.owner !== call.account && !call.principal.isAdministrator;
      // Whoever could make up an address or an organization would learn for which ones another account's policy opens.
      const decided = isTheirs
        ? await deps.authorizer.explain(asked, {
            action,
            resource,
            context: new Map([...context].filter(([key]) => OF_PARAMETERS.test(key))),
          })
        : explained;
      return {
        output: { PrincipalArn: arn, Action: action, Resource: resource, ...(isTheirs ? told(decided) : shown(decided, principal)) },
      };
    },
  };
}

type Explained = Omit<ExplainOutput, 'PrincipalArn' | 'Action' | 'Resource'>;

function shown(decided: Decided, principal: Principal): Explained {
  const { verdict } = decided;
  if (verdict.kind === 'free') return { Outcome: 'allowed', Explanation: 'Allowed: nobody needs a policy for it, and none can deny it.' };
  const decision = decisionOf(decided);
  const isOfRoot = verdict.kind === 'not-allowed' && verdict.policyKind === 'trust' && principal.type === 'Root';
  return {
    Outcome: verdict.kind === 'allowed-to-root' ? 'allowed' : verdict.kind,
    Explanation: isOfRoot ? ROOTS_ASSUME_NOTHING : explainVerdict(verdict),
    ...(decision === undefined ? {} : { PolicyType: decision.policyType }),
    ...(decision?.policy === undefined ? {} : { Policy: decision.policy, Statement: decision.statement }),
  };
}

/** What a call would show, too. */
function told({ verdict }: Decided): Explained {
  const isAllowed = verdict.kind !== 'denied' && verdict.kind !== 'not-allowed';
  return isAllowed
    ? { Outcome: 'allowed', Explanation: 'Allowed: both accounts allow it.' }
    : { Outcome: 'not-allowed', Explanation: 'Not allowed: it needs a policy of the caller and one of the resource in the other account.' };
}

/** The root, a user or a role of an account that the caller may ask about. @throws ApiError NoSuchEntityException */
async function findPrincipal({ accounts, identities }: ExplainDeps, call: Call, arn: string): Promise<Principal> {
  const account = arn.split(':')[4] as AccountId;
  const absent = new ApiError('NoSuchEntityException', `there is no root, user or role \`${arn.slice(0, 256)}\` here`, { status: 404 });
  if (!isAccountId(account) || (account !== call.account && !call.principal.isAdministrator) || !accounts.exists(account)) throw absent;
  // Policies are kept by access key; none has this name.
  const key = `explained ${arn}`;
  if (arn === `arn:aws:iam::${account}:root`) return accounts.rootOf(account, key);
  const userName = parseIamArn(arn, 'user')?.name;
  const user = userName === undefined ? undefined : (await identities.find('User', account, userName))?.value;
  if (user !== undefined && entityArn(user) === arn) return accounts.userOf(account, user, key);
  const [, sessionRole, sessionName = 'explained'] =
    /^arn:aws:sts::\d{12}:assumed-role\/([\w+=,.@-]{1,128})\/([\w+=,.@-]{2,64})$/.exec(arn) ?? [];
  const roleName = sessionRole ?? parseIamArn(arn, 'role')?.name;
  const role = roleName === undefined ? undefined : (await identities.find('Role', account, roleName))?.value;
  if (role === undefined || (sessionRole === undefined && entityArn(role) !== arn)) throw absent;
  return {
    type: 'AssumedRole',
    account,
    arn: `arn:aws:sts::${account}:assumed-role/${role.name}/${sessionName}`,
    principalId: `${role.id}:${sessionName}`,
    accessKeyId: key,
    isAdministrator: accounts.isAdministrator(account),
    session: {
      issuedAtMs: call.receivedAtMs,
      tags: [],
      transitiveTagKeys: [],
      role: { name: role.name, id: role.id, arn: entityArn(role) },
    },
  };
}

/** Policies are kept by access key: those of this session alone are not those of the next one. @throws ApiError ValidationException */
function withSessionPolicy(principal: Principal, call: Call, given: unknown): Principal {
  if (given === undefined) return principal;
  if (typeof given !== 'string' || parsePolicy(given, 'identity').kind === 'malformed')
    throw invalid('SessionPolicy must be the JSON of a policy');
  const { session } = principal;
  if (session === undefined) throw invalid('SessionPolicy narrows the session of a role: name a role, or its session');
  const accessKeyId = `${principal.accessKeyId} ${call.requestId}`;
  return { ...principal, accessKeyId, session: { ...session, policies: { inline: given, arns: [] } } };
}

/** Condition keys with a text or a list of texts each. @throws ApiError ValidationException */
function contextOf(given: unknown): ReadonlyMap<string, readonly string[]> {
  if (given === undefined) return new Map();
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid('Context must be an object');
  const entries = Object.entries(given as JsonObject);
  if (entries.length > CONTEXT_KEYS_MAX) throw invalid(`Context has at most ${CONTEXT_KEYS_MAX} keys`);
  return new Map(
    entries.map(([key, value]) => {
      const values = Array.isArray(value) ? value : [value];
      return [key.toLowerCase(), values.map((each) => textOf(each, `Context.${key.slice(0, 64)}`))];
    }),
  );
}

function textOf(given: unknown, member: string): string {
  if (typeof given === 'string' && given.length >= 1 && given.length <= 2_048) return given;
  throw invalid(`${member} must be a text of 1 to 2048 characters`);
}

function invalid(message: string): ApiError {
  return new ApiError('ValidationException', message);
}
