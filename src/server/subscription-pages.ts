/**
 * The links in messages to subscribers of topics: they confirm a subscription or end it. No signature: who has the token of a
 * message got the message. What they change is a `configuration` fact in the journal, by `anonymous`.
 *
 * Programs get XML, as from the service, and the link itself acts. Mails link to pages for people, which first ask: what opens every
 * link of a mail, to look for harm, must neither confirm nor end anything. HEAD changes nothing. Beside them lies the certificate that
 * messages are verified with.
 */
import { ApiError } from '../api/api-error.ts';
import type { Page, PageAnswer } from '../http/ports.ts';
import { escapeXml, type XmlFields, xmlDocument } from '../http/xml.ts';
import { confirmByLink } from '../sns/confirm-subscription.ts';
import { unsubscribeByLink } from '../sns/end-subscription.ts';
import type { MessageSigner } from '../sns/message-signer.ts';
import type { SnsDeps } from '../sns/sns-deps.ts';
import { CONFIRM_PATH, UNSUBSCRIBE_PATH } from '../sns/subscription-message.ts';
import { CONFIRM_PAGE, UNSUBSCRIBE_PAGE } from '../sns/write-mail.ts';

const NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/';

/** What a link does. */
interface LinkAction {
  readonly name: string;
  /** Members that it needs, as a form hands them on. */
  readonly members: readonly string[];
  readonly act: (members: URLSearchParams) => Promise<XmlFields>;
  /** For people: what they are asked, what the button says, what was done. */
  readonly question: string;
  readonly button: string;
  readonly done: string;
}

export function subscriptionPages(deps: SnsDeps, signer: Pick<MessageSigner, 'path' | 'certificate'>): ReadonlyMap<string, Page> {
  const confirm: LinkAction = {
    name: 'ConfirmSubscription',
    members: ['TopicArn', 'Token'],
    act: async (members) => {
      const topic = members.get('TopicArn') ?? '';
      return { ConfirmSubscriptionResult: { SubscriptionArn: await confirmByLink(deps, { topic, token: members.get('Token') ?? '' }) } };
    },
    question: 'Shall this address get the messages of the topic?',
    button: 'Confirm the subscription',
    done: 'The subscription is confirmed. Each message has a link that ends it.',
  };
  const unsubscribe: LinkAction = {
    name: 'Unsubscribe',
    members: ['SubscriptionArn', 'Token'],
    act: async (members) => {
      await unsubscribeByLink(deps, { arn: members.get('SubscriptionArn') ?? '', token: members.get('Token') ?? '' });
      return {};
    },
    question: 'Shall this address get no more messages of the topic?',
    button: 'End the subscription',
    done: 'The subscription has ended. No more messages will follow.',
  };
  return new Map([
    [CONFIRM_PATH, forPrograms(deps, confirm)],
    [UNSUBSCRIBE_PATH, forPrograms(deps, unsubscribe)],
    [CONFIRM_PAGE, forPeople(confirm)],
    [UNSUBSCRIBE_PAGE, forPeople(unsubscribe)],
    [signer.path, () => certificate(signer)],
  ]);
}

function forPrograms({ chance }: SnsDeps, { name, act }: LinkAction): Page {
  return async ({ method, query }) => {
    const ids = { RequestId: chance.uuid() };
    if (method === 'HEAD') return xml(200, `${name}Response`, { ResponseMetadata: ids });
    try {
      return xml(200, `${name}Response`, { ...(await act(new URLSearchParams(query))), ResponseMetadata: ids });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return xml(error.status ?? 400, 'ErrorResponse', { Error: { Type: 'Sender', Code: error.code, Message: error.message }, ...ids });
    }
  };
}

/** Asks; its button leads back here and acts. */
function forPeople({ members: names, act, question, button, done }: LinkAction): Page {
  return async ({ method, query }) => {
    const members = new URLSearchParams(query);
    if (method === 'HEAD' || members.get('sure') !== 'yes') {
      const given = [...names.map((name) => [name, members.get(name) ?? ''] as const), ['sure', 'yes'] as const];
      const inputs = given.map(([name, value]) => `<input type="hidden" name="${name}" value="${escapeXml(value)}">`).join('');
      const about = `<p><code>${escapeXml(members.get(names[0]!) ?? '')}</code></p>`;
      return html(200, `<p>${question}</p>${about}<form method="get">${inputs}<button>${button}</button></form>`);
    }
    try {
      await act(members);
      return html(200, `<p>${done}</p>`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return html(error.status ?? 400, `<p>This did not work: the link is not valid any more. (${escapeXml(error.message)})</p>`);
    }
  };
}

/** What messages are verified with. */
async function certificate(signer: Pick<MessageSigner, 'certificate'>): Promise<PageAnswer> {
  const pem = await signer.certificate();
  return pem === undefined
    ? { status: 404, contentType: 'text/plain; charset=utf-8', body: 'nothing was signed yet\n' }
    : { status: 200, contentType: 'application/x-pem-file', body: pem };
}

function xml(status: number, name: string, fields: XmlFields): PageAnswer {
  return { status, contentType: 'text/xml', body: xmlDocument(name, fields, NAMESPACE) };
}

/** A page that loads nothing, is framed by nobody and is not kept; its address, which holds a token, is told to nobody. */
function html(status: number, content: string): PageAnswer {
  return {
    status,
    contentType: 'text/html; charset=utf-8',
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Subscription</title></head><body>${content}</body></html>\n`,
    headers: {
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  };
}
