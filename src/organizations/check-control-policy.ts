/**
 * Checks the form of a service control policy: an IAM policy that names no principal, since it binds all of an account.
 * Source: Organizations User Guide, "SCP syntax".
 */
import { parsePolicy } from '../policy/parse-policy.ts';

/** What is wrong with it; `undefined` when it can be attached. */
export function faultOfControlPolicy(content: string): string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch {
    return 'it is not JSON';
  }
  const statements = (document as { Statement?: unknown } | null)?.Statement;
  const list = (Array.isArray(statements) ? statements : [statements]) as readonly unknown[];
  if (list.some((each) => typeof each !== 'object' || each === null || 'Principal' in each || 'NotPrincipal' in each))
    return 'each statement is an object that names no principal';
  // The parser reads resource policies, whose statements name one.
  const parsed = parsePolicy(
    JSON.stringify({ ...(document as object), Statement: list.map((each) => ({ Principal: '*', ...(each as object) })) }),
  );
  return parsed.kind === 'malformed' ? parsed.reason : undefined;
}
