/**
 * An event as one readable sentence: who, through what, did what, to what, when, from where, with what, with which outcome.
 *
 * "alice, through role Admin with MFA, deleted bucket snowy-pii at 2025-09-24 02:11:07 UTC from 203.0.113.7 with
 * aws-cli/2.15.0 (denied: AccessDenied)"
 *
 * The words in between come from the record and are untrusted: a text that is not plain is quoted and escaped, so that
 * no record can begin a second line, turn the reading direction or pass its own words off as ours (A50).
 * Source: features.md RC1, ID1; experience.md, "Event".
 */
import { type Actor, resolveActor } from './actor.ts';
import { resourceNameOf } from './arn.ts';
import { type ActionWords, describeAction, typeLabel } from './describe-action.ts';
import { objectMember, textMember } from './members.ts';
import { recordOf } from './record-of.ts';
import { formatEventTime } from './times.ts';
import type { EventResource, JsonObject, KnownEvent } from './types.ts';

/** Most resources that are named; the rest is counted. */
const NAMED_MAX = 3;
/** Longest text that is shown of any one member. */
const TEXT_LENGTH_MAX = 200;

/** The sentence of one event, without a full stop. Never fails, whatever the record says. */
export function sentenceOf(event: KnownEvent): string {
  const record = recordOf(event);
  if (event.category === 'Insight') return insightSentence(event, record);
  const actor = resolveActor(record);
  return joined([
    actorWords(actor),
    actionWords(event, record),
    timeWords(event),
    placeWords(actor, event, record),
    `(${outcomeWords(event, record)})`,
  ]);
}

// --- who ----------------------------------------------------------------------------------------------------------

function actorWords(actor: Actor): string {
  const clauses = [
    throughWords(actor),
    actor.invokedBy === undefined ? '' : `by way of ${actor.invokedBy.startsWith('AWS Internal') ? 'AWS itself' : plain(actor.invokedBy)}`,
    actor.delegate === undefined ? '' : `delegated to account ${plain(actor.delegate)}`,
  ].filter((words) => words !== '');
  const name = nameWords(actor);
  return clauses.length === 0 ? name : `${name}, ${clauses.join(', ')},`;
}

function nameWords(actor: Actor): string {
  const { name, account } = actor;
  const isHidden = name === 'HIDDEN_DUE_TO_SECURITY_REASONS';
  const named = (what: string) => (name === undefined || isHidden ? `${article(what)} ${what}` : `${what} ${plain(name)}`);
  switch (actor.kind) {
    case 'root':
      return account === undefined ? 'the root user' : `the root user of account ${plain(account)}`;
    case 'user':
    case 'role-session':
    case 'federated-user':
      if (isHidden) return 'a user whose name is hidden';
      return name === undefined ? `an ${actor.kind === 'user' ? 'unnamed user' : 'unnamed session'}` : plain(name);
    case 'role':
      return named('role');
    case 'directory-user':
      return named('directory user');
    case 'account':
      return `a principal of ${account === undefined ? 'another account' : `account ${plain(account)}`}${name === undefined ? '' : ` (${plain(name)})`}`;
    case 'service':
      return name === undefined ? 'an AWS service' : serviceWords(name);
    case 'identity-center-user':
      return named('Identity Center user');
    case 'saml-user':
      return named('SAML user') + providerWords(actor);
    case 'web-identity-user':
      return named('web identity user') + providerWords(actor);
    case 'unknown':
      return isHidden || name === undefined ? 'an unknown caller' : `an unknown caller named ${plain(name)}`;
    case 'none':
      return account === undefined ? 'an unnamed caller' : `an unnamed caller of account ${plain(account)}`;
  }
}

function serviceWords(name: string): string {
  return name.startsWith('AWS Internal') ? 'AWS itself' : `AWS service ${plain(name)}`;
}

function providerWords(actor: Actor): string {
  return actor.identityProvider === undefined ? '' : ` of ${plain(actor.identityProvider)}`;
}

/** The role or user whose session it is, the name of the session where the actor has another, and MFA. */
function throughWords(actor: Actor): string {
  const parts: string[] = [];
  if (actor.issuer !== undefined && actor.kind === 'role-session') parts.push(`through role ${plain(actor.issuer.name)}`);
  if (actor.issuer !== undefined && actor.kind === 'federated-user') {
    parts.push(
      actor.issuer.kind === 'root' ? 'federated by the root user' : `federated by ${actor.issuer.kind} ${plain(actor.issuer.name)}`,
    );
  }
  if (actor.sourceIdentity !== undefined && actor.session !== undefined && actor.session !== actor.sourceIdentity) {
    parts.push(`as session ${plain(actor.session)}`);
  }
  if (actor.hasMfa === true) parts.push('with MFA');
  return parts.join(' ');
}

// --- did what, to what --------------------------------------------------------------------------------------------

function actionWords(event: KnownEvent, record: JsonObject): string {
  const request = objectMember(record, 'requestParameters') ?? objectMember(record, 'RequestParameters');
  if (event.eventName === '') return 'did something that the record does not name';
  if (event.eventName === 'ConsoleLogin')
    return isFailure(record, 'ConsoleLogin') ? 'tried to sign in to the console' : 'signed in to the console';
  if (event.eventName === 'CheckMfa') return isFailure(record, 'CheckMfa') ? 'tried to pass the MFA check' : 'passed the MFA check';
  if (event.eventName === 'SwitchRole') return 'switched role in the console';
  if (event.eventName.startsWith('AssumeRole')) return assumeWords(event.eventName, request);

  const action = describeAction(event.eventName);
  if (action.verb === 'called' && textMember(record, 'eventType') === 'AwsServiceEvent') return `reported ${plain(event.eventName)}`;
  const groups = groupByType(event.resources);
  // A verb alone with nothing that it was done to is no sentence: "published".
  if (action.verb === 'called' || (action.noun === '' && groups.length === 0)) return calledWords(event, groups);
  return joined([action.verb, ...objectWords(action, groups)]);
}

function calledWords(event: KnownEvent, groups: readonly ResourceGroup[]): string {
  const service = event.eventSource === '' ? '' : `of ${plain(event.eventSource)}`;
  return joined(['called', plain(event.eventName), service, groups[0] === undefined ? '' : groupWords(groups[0], 'on')]);
}

/** What it was done to. */
function objectWords({ noun, preposition, alone }: ActionWords, groups: readonly ResourceGroup[]): readonly string[] {
  // `user to group`: each of the two may have names of its own.
  const [, head = noun, inner = '', tail = ''] = /^(.+?) (by|for|from|in|of|on|to|with) (.+)$/.exec(noun) ?? [];
  const own = groups.find(({ label }) => endsWithLabel(head, label));
  const second = groups.find((group) => group !== own && (endsWithLabel(tail, group.label) || isAnyResource(tail)));
  const other = groups.find((group) => group !== own && group !== second);
  const rest = other === undefined ? '' : groupWords(other, noun === '' ? alone : inner === '' ? preposition : 'of');
  // `TagResource` names no kind of thing: what it was done to says it better.
  if (isAnyResource(noun) && own === undefined && other !== undefined) return [groupWords(other, '')];
  const secondWords = second !== undefined && isAnyResource(tail) ? groupWords(second, '') : joined([plainWords(tail), ...namesOf(second)]);
  return [plainWords(head), ...namesOf(own), inner, secondWords, rest];
}

function namesOf(group: ResourceGroup | undefined): readonly string[] {
  return group === undefined ? [] : [nameList(group.names)];
}

function isAnyResource(noun: string): boolean {
  return noun === 'resource' || noun === 'resources';
}

function assumeWords(eventName: string, request: JsonObject | undefined): string {
  const role = textMember(request, 'roleArn');
  const session = textMember(request, 'roleSessionName');
  const source = textMember(request, 'sourceIdentity');
  const how = eventName === 'AssumeRoleWithSAML' ? ' with SAML' : eventName === 'AssumeRoleWithWebIdentity' ? ' with a web identity' : '';
  return joined([
    `assumed ${role === undefined ? 'a role' : `role ${plain(resourceNameOf(role))}`}${how}`,
    session === undefined ? '' : `as session ${plain(session)}`,
    source === undefined ? '' : `for source identity ${plain(source)}`,
  ]);
}

interface ResourceGroup {
  /** Such as `bucket`; empty where the type is not known. */
  readonly label: string;
  readonly names: string[];
}

/** Short names by type, in the order found. An ARN and its own name are one. */
function groupByType(resources: readonly EventResource[]): ResourceGroup[] {
  const groups = new Map<string, ResourceGroup>();
  for (const { type, name } of typedFirst(resources)) {
    const label = type === undefined ? '' : typeLabel(type);
    const isNamedBefore = label === '' && [...groups.values()].some(({ names }) => names.includes(resourceNameOf(name)));
    if (isNamedBefore) continue;
    const group = groups.get(label) ?? { label, names: [] };
    groups.set(label, group);
    const short = resourceNameOf(name);
    if (!group.names.includes(short)) group.names.push(short);
  }
  return [...groups.values()];
}

/** Resources with a type before those without, which are often the same once more. */
function typedFirst(resources: readonly EventResource[]): readonly EventResource[] {
  return [...resources.filter(({ type }) => type !== undefined), ...resources.filter(({ type }) => type === undefined)];
}

/** `role policy` is about a policy, `instances` about an instance; a `data key` is none of the keys that are resources. */
function endsWithLabel(noun: string, label: string): boolean {
  if (label === '' || noun === 'data key') return false;
  const words = noun.toLowerCase();
  const ending = label.toLowerCase();
  const candidates = [ending, `${ending}s`, ending.replace(/y$/, 'ies')];
  return candidates.some((candidate) => words === candidate || words.endsWith(` ${candidate}`));
}

function groupWords({ label, names }: ResourceGroup, preposition: string): string {
  return joined([preposition, plainWords(label), nameList(names)]);
}

function nameList(names: readonly string[]): string {
  const shown = names
    .slice(0, NAMED_MAX)
    .map((name) => plain(name))
    .join(', ');
  return names.length > NAMED_MAX ? `${shown} and ${names.length - NAMED_MAX} more` : shown;
}

// --- when, from where, with what, how it ended --------------------------------------------------------------------

function timeWords(event: KnownEvent): string {
  if (event.remarks.defaulted.includes('eventTime')) return 'at a time that the record does not tell';
  const isWritable = event.eventTimeMs >= 0 && event.eventTimeMs < 253_402_300_800_000;
  return isWritable ? `at ${readableTime(event.eventTimeMs)}` : 'at an impossible time';
}

function readableTime(timeMs: number): string {
  return `${formatEventTime(timeMs).slice(0, 19).replace('T', ' ')} UTC`;
}

function placeWords(actor: Actor, event: KnownEvent, record: JsonObject): string {
  const address = event.sourceIpAddress;
  const isOwnService =
    address !== undefined && (address === actor.name || address === actor.invokedBy || address.startsWith('AWS Internal'));
  const client = clientWords(textMember(record, 'userAgent'));
  return joined([
    address === undefined || isOwnService ? '' : `from ${plain(address)}`,
    client === '' || client === address || client === actor.name || client === actor.invokedBy ? '' : `with ${plain(client, true)}`,
  ]);
}

/** What the web consoles of AWS call themselves. */
const CONSOLES =
  /^(signin\.amazonaws\.com$|console\.([a-z0-9-]+\.)*(amazonaws|aws\.amazon)\.com$|AWS-?Console|AWS [A-Za-z0-9]+ Console$|(S3|EC2)Console)/;

/** The product that begins a user agent, such as `aws-cli/2.15.0`; empty for what AWS writes for itself. */
function clientWords(userAgentText: string | undefined): string {
  const userAgent = userAgentText?.replace(/^\[/, '');
  if (userAgent === undefined || userAgent.startsWith('AWS Internal') || userAgent.startsWith('aws-internal/')) return '';
  if (userAgent.startsWith('Mozilla/')) return 'a browser';
  // Partner tools put a mark of the partner network first: `APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+…) …`.
  if (userAgent.startsWith('APN/')) return userAgent.split(' ', 3)[2] ?? userAgent;
  if (CONSOLES.test(userAgent)) return 'the console';
  return userAgent.split(/[\s,;\]]/, 1)[0] ?? '';
}

function outcomeWords(event: KnownEvent, record: JsonObject): string {
  const code = event.errorCode;
  if (code !== undefined) return `${isDenial(code) ? 'denied' : 'failed'}: ${plain(code)}`;
  const message = textMember(record, 'errorMessage');
  if (message !== undefined) return `failed: ${plain(message)}`;
  return isFailure(record, event.eventName) ? 'failed' : 'succeeded';
}

function isDenial(code: string): boolean {
  return /access.?denied|unauthori[sz]ed|not.?authori[sz]ed|forbidden/i.test(code);
}

/** Sign-in events tell the outcome in the answer: `{"ConsoleLogin":"Failure"}`. */
function isFailure(record: JsonObject, name: string): boolean {
  const response = objectMember(record, 'responseElements');
  return response !== undefined && Object.hasOwn(response, name) && response[name] === 'Failure';
}

// --- insights -----------------------------------------------------------------------------------------------------

function insightSentence(event: KnownEvent, record: JsonObject): string {
  const details = objectMember(record, 'insightDetails');
  const state = textMember(details, 'state');
  const what = textMember(details, 'insightType') === 'ApiErrorRateInsight' ? 'errors' : 'calls';
  const error = textMember(details, 'errorCode');
  const edge = state === 'Start' ? 'the start of' : state === 'End' ? 'the end of' : '';
  return joined([
    'CloudTrail Insights saw',
    edge,
    `an unusual rate of ${what} of ${event.eventName === '' ? 'an API' : plain(event.eventName)}`,
    event.eventSource === '' ? '' : `of ${plain(event.eventSource)}`,
    error === undefined ? '' : `with ${plain(error)}`,
    timeWords(event),
  ]);
}

/** Words, without those that there is nothing to say for. */
function joined(words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}

// --- untrusted words ----------------------------------------------------------------------------------------------

/**
 * Letters, digits and the marks of names, ARNs, addresses and user agents. No white space, no quote, no bracket, no comma at an
 * end, and not marks alone.
 */
const PLAIN = /^(?!,)(?=.*[\p{L}\p{N}])[\p{L}\p{N}_+=,.@:/*#$~%!?&|^-]+(?<!,)$/u;

/** An untrusted text for the sentence: as it is when it is plain, else quoted with escapes. `mayHaveSpaces` for our own words. */
function plain(text: string, mayHaveSpaces = false): string {
  const short = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
  const shown = short.replace(/…$/, '');
  if (PLAIN.test(mayHaveSpaces ? shown.replaceAll(' ', '') : shown)) return short;
  return JSON.stringify(short).replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

/** Words made from an untrusted name: each of them plain. */
function plainWords(words: string): string {
  return words === '' ? '' : plain(words, /^[A-Za-z0-9 ]+$/.test(words));
}

function article(noun: string): string {
  return /^[AEIOU]/i.test(noun) ? 'an' : 'a';
}
