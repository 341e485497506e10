/**
 * Evaluates one policy for one request.
 *
 * A statement that denies wins over all that allow; what no statement allows is not allowed. `evaluate-access.ts` joins what
 * several policies say.
 *
 * Pure. What is compiled of a policy is kept as long as the policy is.
 * Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements".
 */
import { type ConditionTest, compileCondition } from './match-condition.ts';
import { compileGlob } from './match-glob.ts';
import { GRANTS, type Grant, matchPrincipal, type PolicyPrincipal } from './match-principal.ts';
import type { Policy, PolicyStatement } from './parse-policy.ts';
import { compilePattern, type Matcher, type PolicyContext } from './policy-pattern.ts';

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  /** Such as `s3:PutObject`. */
  readonly action: string;
  /** ARN, or `*` for an action that knows no resource. */
  readonly resource: string;
  readonly context: PolicyContext;
}

export type PolicyVerdict =
  /** @param grant How the statement names the caller: the strongest of all that allow. */
  | { readonly kind: 'allowed'; readonly statement: PolicyStatement; readonly grant: Grant }
  /** A statement denies it. */
  | { readonly kind: 'denied'; readonly statement: PolicyStatement }
  /** No statement is about it. */
  | { readonly kind: 'not-allowed' };

export function evaluatePolicy(policy: Policy, request: PolicyRequest): PolicyVerdict {
  let allowing: { readonly statement: PolicyStatement; readonly grant: Grant } | undefined;
  const action = request.action.toLowerCase();
  for (const compiled of compile(policy)) {
    const { statement } = compiled;
    const isDenial = statement.effect === 'Deny';
    if (!isDenial && allowing?.grant === 'direct') continue;
    if (compiled.includesAction(action) === statement.isActionNegated) continue;
    const grant = matchPrincipal(statement, request.principal);
    if (grant === undefined || !applies(compiled, request)) continue;
    if (isDenial) return { kind: 'denied', statement };
    if (allowing === undefined || GRANTS.indexOf(grant) > GRANTS.indexOf(allowing.grant)) allowing = { statement, grant };
  }
  return allowing === undefined ? { kind: 'not-allowed' } : { kind: 'allowed', ...allowing };
}

/** A name for people: the statement's `Sid`, else its place. */
export function statementName(statement: PolicyStatement): string {
  return statement.sid === undefined || statement.sid === '' ? `Statement[${statement.index}]` : statement.sid;
}

function applies({ statement, resources, conditions }: CompiledStatement, { resource, context }: PolicyRequest): boolean {
  if (resources.some((matches) => matches(resource, context)) === statement.isResourceNegated) return false;
  return conditions.every((isMet) => isMet(context));
}

interface CompiledStatement {
  readonly statement: PolicyStatement;
  /** @param action In lower case. */
  readonly includesAction: (action: string) => boolean;
  readonly resources: readonly Matcher[];
  readonly conditions: readonly ConditionTest[];
}

const compiledPolicies = new WeakMap<Policy, readonly CompiledStatement[]>();

function compile(policy: Policy): readonly CompiledStatement[] {
  const known = compiledPolicies.get(policy);
  if (known !== undefined) return known;
  const hasVariables = policy.version === '2012-10-17';
  const compiled = policy.statements.map(
    (statement): CompiledStatement => ({
      statement,
      includesAction: compileActions(statement.actions),
      resources: statement.resources.map((pattern) => compilePattern(pattern, hasVariables)),
      conditions: statement.conditions.map((condition) => {
        const test = compileCondition(condition, hasVariables);
        if (typeof test === 'string') throw new TypeError(`a policy that was not parsed: ${test}`);
        return test;
      }),
    }),
  );
  compiledPolicies.set(policy, compiled);
  return compiled;
}

/** Actions have no case and no variables. Most lists are names without wildcards, and some have hundreds. */
function compileActions(patterns: readonly string[]): (action: string) => boolean {
  const lowerCase = patterns.map((pattern) => pattern.toLowerCase());
  const names = new Set(lowerCase.filter((pattern) => !/[*?]/.test(pattern)));
  const globs = lowerCase.filter((pattern) => /[*?]/.test(pattern)).map(compileGlob);
  return (action) => names.has(action) || globs.some((matches) => matches(action));
}
