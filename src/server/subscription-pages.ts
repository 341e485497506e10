/**
 * The links in messages to subscribers of topics: they confirm a subscription or end it. No signature: who has the token of a
 * message got the message. What they change is a `configuration` fact in the journal, by `anonymous`.
 */
import { ApiError } from '../api/api-error.ts';
import type { Page, PageAnswer } from '../http/ports.ts';
import { type XmlFields, xmlDocument } from '../http/xml.ts';
import { confirmByLink } from '../sns/confirm-subscription.ts';
import { unsubscribeByLink } from '../sns/end-subscription.ts';
import type { SnsDeps } from '../sns/sns-deps.ts';
import { CONFIRM_PATH, UNSUBSCRIBE_PATH } from '../sns/subscription-message.ts';

const NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/';

export function subscriptionPages(deps: SnsDeps): ReadonlyMap<string, Page> {
  const page =
    (name: string, act: (members: URLSearchParams) => Promise<XmlFields>): Page =>
    async ({ query }) => {
      const ids = { RequestId: deps.chance.uuid() };
      try {
        return xml(200, `${name}Response`, { ...(await act(new URLSearchParams(query))), ResponseMetadata: ids });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return xml(error.status ?? 400, 'ErrorResponse', { Error: { Type: 'Sender', Code: error.code, Message: error.message }, ...ids });
      }
    };
  return new Map([
    [
      CONFIRM_PATH,
      page('ConfirmSubscription', async (members) => {
        const topic = members.get('TopicArn') ?? '';
        return { ConfirmSubscriptionResult: { SubscriptionArn: await confirmByLink(deps, { topic, token: members.get('Token') ?? '' }) } };
      }),
    ],
    [
      UNSUBSCRIBE_PATH,
      page('Unsubscribe', async (members) => {
        await unsubscribeByLink(deps, { arn: members.get('SubscriptionArn') ?? '', token: members.get('Token') ?? '' });
        return {};
      }),
    ],
  ]);
}

function xml(status: number, name: string, fields: XmlFields): PageAnswer {
  return { status, contentType: 'text/xml', body: xmlDocument(name, fields, NAMESPACE) };
}
