/**
 * `snowtrail access explain`: why a call was let through or refused, or whether one would be.
 *
 * Of an event it tells what was decided then, from the event itself; of a principal, an action and a resource what is decided now.
 * Source: features.md ID5, FI7.
 */
import type { Command } from 'commander';
import type { AccessDecision } from '../../api/access.ts';
import { Client } from '../client.ts';
import { UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts } from '../output.ts';
import { safeText } from '../safe-text.ts';
import type { Fact } from '../table.ts';
import type { EventDetail } from './event.ts';

interface ExplainOptions extends GlobalOptions {
  readonly principal?: string;
  readonly action?: string;
  readonly resource?: string;
  readonly context?: readonly string[];
  readonly sessionPolicy?: string;
}

/** What `ExplainAccess` answers. */
interface Explanation {
  readonly Outcome: string;
  readonly Explanation: string;
  readonly PolicyType?: string;
  readonly Policy?: string;
  readonly Statement?: string;
}

export function addAccess(program: Command): void {
  const access = program.command('access').description('why a call is allowed or denied');
  const explain = access
    .command('explain')
    .description('name the statement that decided an event, or that decides a call now')
    .argument('[event]', 'id of the event of a call to this server')
    .option('--principal <arn>', 'root, user, role or its session that would call')
    .option('--action <action>', 'such as cloudtrail:StopLogging')
    .option('--resource <arn>', 'what it would be done to; any resource when left out')
    .option('--context <key=value...>', 'condition keys of the call, such as aws:SourceIp=192.0.2.7; one key several times: several values')
    .option('--session-policy <json>', 'policy that narrows the session of a role');
  addExamples(explain, [
    'access explain 2f0e8a5c-6d2c-4d5f-9f2e-0a1b2c3d4e5f',
    'access explain --principal "$ROLE" --action cloudtrail:StopLogging',
  ]);
  explain.action(async (event: string | undefined, _: object, self: Command) => {
    const options = self.optsWithGlobals<ExplainOptions>();
    outputForm(options);
    const client = new Client(await findServer(options));
    if (event !== undefined) return explainEvent(client, options, event);
    const { principal, action } = options;
    if (principal === undefined || action === undefined)
      throw new UsageError('give the id of an event, or `--principal ARN --action ACTION` with `--resource ARN`');
    const input = {
      PrincipalArn: principal,
      Action: action,
      ...(options.resource === undefined ? {} : { Resource: options.resource }),
      Context: contextOf(options.context ?? []),
      ...(options.sessionPolicy === undefined ? {} : { SessionPolicy: options.sessionPolicy }),
    };
    const answer = await client.call<Explanation>('ExplainAccess', input);
    await printFacts(options, factsOf(answer), answer);
  });
}

function contextOf(given: readonly string[]): Record<string, string[]> {
  const context = new Map<string, string[]>();
  for (const pair of given) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`\`--context ${safeText(pair)}\` is not of the form key=value`);
    const key = pair.slice(0, at);
    context.set(key, [...(context.get(key) ?? []), pair.slice(at + 1)]);
  }
  return Object.fromEntries(context);
}

async function explainEvent(client: Client, options: ExplainOptions, id: string): Promise<void> {
  const { Event: event } = await client.call<{ Event: EventDetail }>('GetEvent', { EventId: id });
  const answer = explanationOf(JSON.parse(event.Record) as RecordedCall);
  await printFacts(options, factsOf(answer), answer);
}

/** What of a record matters here. Untrusted: whoever wrote the record decides what is in it. */
interface RecordedCall {
  readonly userIdentity?: { readonly type?: string };
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly additionalEventData?: { readonly accessDecision?: AccessDecision };
}

function explanationOf({ userIdentity, errorCode, errorMessage, additionalEventData }: RecordedCall): Explanation {
  const decision = additionalEventData?.accessDecision;
  if (decision !== undefined) {
    const { action, resource, outcome, policyType, policy, statement } = decision;
    const what = `${action} on ${resource}`;
    const by = policy === undefined ? `no ${policyType} allowed it` : `by statement ${statement} of ${policy} (${policyType})`;
    return {
      Outcome: outcome,
      Explanation: `${what}: ${outcome === 'not-allowed' ? 'not allowed, ' : `${outcome} `}${by}`,
      PolicyType: policyType,
      ...(policy === undefined ? {} : { Policy: policy, ...(statement === undefined ? {} : { Statement: statement }) }),
    };
  }
  // Other servers' records, and those of services that decide by themselves, have the service's words alone.
  if (errorCode !== undefined && /AccessDenied|Unauthorized/.test(errorCode))
    return { Outcome: 'denied', Explanation: errorMessage ?? 'the record gives no reason' };
  if (userIdentity?.type === 'Root') return { Outcome: 'allowed', Explanation: 'the root of an account needs no policy in it' };
  return { Outcome: 'unknown', Explanation: 'the record does not say which statement let the call through' };
}

function factsOf(answer: Explanation): readonly Fact[] {
  return [
    ['Outcome', answer.Outcome],
    ['Why', answer.Explanation],
    ...(answer.PolicyType === undefined ? [] : [['Policy type', answer.PolicyType] as const]),
    ...(answer.Policy === undefined ? [] : [['Policy', answer.Policy] as const]),
    ...(answer.Statement === undefined ? [] : [['Statement', answer.Statement] as const]),
  ];
}
