/**
 * Finds which resources a call names, for whoever decides whether it is allowed.
 *
 * Almost every member that takes an event data store, a channel or a dashboard takes its ARN or what follows the slash in it
 * (cloudtrail.md §0.3). Untrusted text; what it names need not exist, or be the caller's.
 */
import { ApiError } from './api-error.ts';
import type { Call } from './operation.ts';

export type ResourceKind = 'trail' | 'eventdatastore' | 'channel' | 'dashboard' | 'arn';

/**
 * `*`: the action knows no resources. A kind and a member: that one, or each of them where the member is a list; several pairs:
 * the first whose member is given. A kind alone, or none given: any of that kind.
 */
export type ResourceRule =
  | '*'
  | readonly [kind: ResourceKind]
  | readonly [kind: ResourceKind, member: string]
  | readonly [kind: ResourceKind, member: string, otherKind: ResourceKind, otherMember: string];

/** The ARN that a text names. @throws ApiError with the code of its kind when it can name none. */
export type ReadResource = (kind: ResourceKind, text: string, call: Call) => string;

/** @returns ARNs; `*` where the action knows none. */
export function readResources(rule: ResourceRule, call: Call, input: object, read: ReadResource): readonly string[] {
  if (rule === '*') return ['*'];
  const [kind, member, otherKind, otherMember] = rule;
  const members = input as Readonly<Record<string, unknown>>;
  const given = textsOf(member === undefined ? undefined : members[member]);
  if (given.length > 0) return given.map((text) => read(kind, text, call));
  const others = textsOf(otherMember === undefined ? undefined : members[otherMember]);
  if (others.length > 0) return others.map((text) => read(otherKind!, text, call));
  return [kind === 'arn' ? '*' : `${prefixOf(call)}${kind}/*`];
}

function textsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((text): text is string => typeof text === 'string' && text !== '');
}

/** Of everything that the caller has in the Region of the call. */
function prefixOf({ region, account }: Call): string {
  return `arn:aws:cloudtrail:${region}:${account}:`;
}

/**
 * The ARN of an event data store or a channel, of its ARN or the UUID at its end.
 * @param refusal Of a text that can name none: the code of the operation's service.
 * @throws ApiError
 */
export function readUuidResource(kind: 'eventdatastore' | 'channel', text: string, call: Call, refusal: string): string {
  const id = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  if (id.test(text)) return `${prefixOf(call)}${kind}/${text}`;
  const [, ofKind, ofArn = ''] = /^arn:aws:cloudtrail:[a-z0-9-]{1,32}:\d{12}:(eventdatastore|channel)\/(.*)$/s.exec(text) ?? [];
  if (ofKind === kind && id.test(ofArn)) return text;
  const what = kind === 'channel' ? 'channel' : 'event data store';
  throw new ApiError(refusal, `The specified ${what} is not valid: it is an ARN that ends in ${kind}/ and a UUID, or the UUID alone.`);
}

/** The ARN of a dashboard, of its ARN or its name. */
export function readDashboard(text: string, call: Call): string {
  return text.startsWith('arn:') ? text : `${prefixOf(call)}dashboard/${text}`;
}
