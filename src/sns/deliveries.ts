/**
 * The messages that wait for subscribers, and their sending.
 *
 * What waits is in the catalog, so that it outlives a restart; a message is taken away when its subscriber has it, so that a crash
 * between the two sends it twice. Order is not promised. A subscriber that does not answer delays no other: each has a line of its
 * own, few of one account are asked at a time, and what it has not taken for a day is given up and counted. A mailbox gets no more
 * mails in an hour than it may: what comes beyond waits.
 *
 * One `Deliveries` owns all lines of an installation: what others write below `sns-message` it does not see.
 */
import type { AccountId, EpochMs } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';
import { backOffMs } from '../store/back-off.ts';
import type { Catalog, CatalogChange, CatalogDocument, CatalogKey } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import { isBug } from '../store/is-bug.ts';
import type { MessageLine } from '../store/message-line.ts';
import { Aborted, unlessAborted } from '../store/unless-aborted.ts';
import { NotSent, type SendDeps, type Sending, sendMessage } from './send-message.ts';
import { isMailed, isOver, type Subscription, type SubscriptionId, subscriptionArn, subscriptionKey } from './subscription.ts';
import type { MessageDeps, WaitingMessage } from './subscription-message.ts';
import { type Topic, topicKey } from './topic.ts';

export interface DeliveriesDeps extends SendDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  /** Makes the tokens of messages. Secret. */
  readonly tokenKey: Uint8Array;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Where this server is, as its subscribers see it. */
  readonly url: () => string;
  readonly signer: MessageDeps['signer'];
  readonly report: (problem: DeliveryProblem) => void;
}

/** A message was not taken; it is tried again, but where it is `given-up`, or the line is `halted` by a bug. */
export interface DeliveryProblem {
  readonly kind: 'retry' | 'given-up' | 'halted';
  readonly subscription: string;
  readonly error: unknown;
}

/** How a subscription does. */
export interface DeliveryStatus {
  /** Messages that were given up. */
  readonly givenUp: number;
  /** Absent when the last attempt succeeded. */
  readonly error?: string;
  /** Mails that were sent in the last hour in which there were any; the hour counts from 1970. */
  readonly mails?: { readonly hour: number; readonly count: number };
}

/** The same message for several subscribers. */
export interface Parcel {
  readonly subscription: Subscription;
  readonly message: WaitingMessage;
}

const STATUS = 'sns-subscription-status';
const HOUR_MS = 3600 * 1000;
/** Most messages that wait for one subscriber, and most bytes of what waits for those of one account's topics. */
const LINE_MAX = 1_000;
const ACCOUNT_BYTES_MAX = 64 * 1024 * 1024;
const LIFE_MS = 24 * HOUR_MS;
/** A request to confirm that is sent to a URL: who asks again is asked again. */
const CONFIRMATION_LIFE_MS = 10 * 60 * 1000;
/** Most mails to one subscriber in an hour of the clock. */
export const MAILS_MAX = 100;
const RETRY = { minMs: 1_000, maxMs: 5 * 60 * 1000 } as const;
/** Subscribers that are sent to at a time, in all and of one account's topics. */
const SENDING_MAX = 32;
const SENDING_ACCOUNT_MAX = 4;
const REST_MS = 60_000;

interface Line {
  readonly id: SubscriptionId;
  /** What waits, oldest first. */
  waiting: { readonly key: CatalogKey; readonly sizeBytes: number }[];
  isSending: boolean;
  isHalted: boolean;
  failures: number;
  retryAtMs: number;
}

export class Deliveries {
  readonly #deps: DeliveriesDeps;
  /** By the ARN of the subscription. What is in here is in the catalog. */
  readonly #lines = new Map<string, Line>();
  /** Of what waits, by the topic's account. */
  readonly #bytes = new Map<AccountId, number>();
  /** Tries since the start, by the topic's account. */
  readonly #tries = new Map<AccountId, { sent: number; failed: number }>();
  #wake = new AbortController();

  private constructor(deps: DeliveriesDeps) {
    this.#deps = deps;
  }

  static async open(deps: DeliveriesDeps): Promise<Deliveries> {
    const deliveries = new Deliveries(deps);
    let after: CatalogKey | undefined;
    do {
      const page: readonly CatalogDocument<WaitingMessage>[] = await deps.catalog.list<WaitingMessage>(['sns-message'], {
        ...(after === undefined ? {} : { after }),
        limit: 100,
      });
      for (const { key, value } of page) deliveries.#queue(idOf(key), key, sizeOf(value));
      after = page.at(-1)?.key;
    } while (after !== undefined);
    return deliveries;
  }

  /** Whether no more is taken for the subscribers of the account's topics until some of it is gone. */
  isFull(account: AccountId): boolean {
    return (this.#bytes.get(account) ?? 0) >= ACCOUNT_BYTES_MAX;
  }

  /** Resolves when all of it would survive a power cut. A subscriber whose line is full does not get it, which is counted. */
  async enqueue(parcels: readonly Parcel[]): Promise<void> {
    const changes: CatalogChange[] = [];
    const queued: { readonly id: SubscriptionId; readonly key: CatalogKey; readonly sizeBytes: number }[] = [];
    for (const { subscription, message } of parcels) {
      if ((this.#lines.get(subscriptionArn(subscription))?.waiting.length ?? 0) >= LINE_MAX) {
        await this.#note(subscription, (status) => ({ ...givenUp(status), error: 'TooManyWaiting' }));
        continue;
      }
      const key = messageKey(subscription, message);
      changes.push({ key, value: message, expected: 'any' });
      queued.push({ id: subscription, key, sizeBytes: sizeOf(message) });
    }
    if (changes.length === 0) return;
    await this.#deps.catalog.commit(changes);
    for (const { id, key, sizeBytes } of queued) this.#queue({ topic: id.topic, id: id.id }, key, sizeBytes);
    this.#wake.abort();
  }

  /** How many messages wait for it. */
  waiting(id: SubscriptionId): number {
    return this.#lines.get(subscriptionArn(id))?.waiting.length ?? 0;
  }

  async status(id: SubscriptionId): Promise<DeliveryStatus> {
    return (await this.#deps.catalog.get<DeliveryStatus>(statusKey(id)))?.value ?? { givenUp: 0 };
  }

  /** How the subscribers of topics do, by the topics' account: of those that there are now; tries since the server started. */
  async messageLines(): Promise<readonly MessageLine[]> {
    const lines = new Map<AccountId, { waiting: number; givenUp: number; errors: string[] }>();
    const lineOf = (account: AccountId) => {
      const line = lines.get(account) ?? { waiting: 0, givenUp: 0, errors: [] };
      lines.set(account, line);
      return line;
    };
    for (const { key, value } of await this.#deps.catalog.list<DeliveryStatus>([STATUS])) {
      const line = lineOf(key[1] as AccountId);
      line.givenUp += value.givenUp;
      if (value.error !== undefined) line.errors.push(value.error);
    }
    for (const { id, waiting } of this.#lines.values()) lineOf(id.topic.account).waiting += waiting.length;
    for (const account of this.#tries.keys()) lineOf(account);
    return [...lines].sort().map(([account, { waiting, givenUp: lost, errors }]) => ({
      ...{ name: `subscribers/${account}`, waiting, ...(this.#tries.get(account) ?? { sent: 0, failed: 0 }), givenUp: lost },
      ...(errors.length === 0 ? {} : { problem: `${errors[0]}, of ${errors.length} subscriber${errors.length === 1 ? '' : 's'}` }),
    }));
  }

  /** What goes with a subscription that ends. A message that comes meanwhile finds nobody, and is dropped. */
  changesOfEnd(id: SubscriptionId): readonly CatalogChange[] {
    const waiting = this.#lines.get(subscriptionArn(id))?.waiting ?? [];
    return [statusKey(id), ...waiting.map(({ key }) => key)].map((key) => ({ key, value: undefined, expected: 'any' }));
  }

  /** Sends until `signal` aborts; resolves when nothing is being sent any more. */
  async run(signal: AbortSignal): Promise<void> {
    const sending = new Set<Promise<void>>();
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      this.#wake = new AbortController();
      for (const line of this.#due()) {
        line.isSending = true;
        const turn = this.#send(line, signal).finally(() => {
          line.isSending = false;
          sending.delete(turn);
          this.#wake.abort();
        });
        sending.add(turn);
      }
      await this.#deps.clock.sleep(this.#restMs(), this.#wake.signal);
    }
    await Promise.all(sending);
  }

  /** The lines whose turn it is, those that waited longest first, as many as may be sent to. */
  #due(): readonly Line[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const lines = [...this.#lines.values()];
    const ofAccount = new Map<AccountId, number>();
    for (const { isSending, id } of lines) if (isSending) ofAccount.set(id.topic.account, (ofAccount.get(id.topic.account) ?? 0) + 1);
    let room = SENDING_MAX - lines.filter(({ isSending }) => isSending).length;
    return lines
      .filter((line) => !line.isSending && !line.isHalted && line.waiting.length > 0 && line.retryAtMs <= nowMs)
      .sort((one, other) => one.retryAtMs - other.retryAtMs)
      .filter(({ id: { topic } }) => {
        const count = ofAccount.get(topic.account) ?? 0;
        if (room === 0 || count >= SENDING_ACCOUNT_MAX) return false;
        room--;
        ofAccount.set(topic.account, count + 1);
        return true;
      });
  }

  #restMs(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    const later = [...this.#lines.values()].filter((line) => !line.isSending && !line.isHalted && line.retryAtMs > nowMs);
    return later.reduce((restMs, { retryAtMs }) => Math.min(restMs, retryAtMs - nowMs), REST_MS);
  }

  /** Sends the oldest message of a line. Never throws. */
  async #send(line: Line, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    try {
      const key = line.waiting[0]!.key;
      const sending = await this.#read(line.id, key);
      if (sending === undefined) return await this.#take(line, key);
      const { subscription, message } = sending;
      if (message.atMs < clock.nowMs() - lifeMs(subscription, message)) return await this.#take(line, key, givenUp);
      if (isMailed(subscription) && (await this.#isMailedOut(line))) return;
      // Who does not answer does not keep the server from ending: it is sent to again after the next start.
      await unlessAborted(signal, sendMessage(this.#deps, sending));
      await this.#take(line, key, isMailed(subscription) ? (status) => mailed(withoutError(status), clock.nowMs()) : withoutError);
      this.#tell(line, 'sent');
      line.failures = 0;
    } catch (error) {
      if (!(error instanceof Aborted)) await this.#fail(line, error);
    }
  }

  /** `undefined` where nobody wants the message any more. */
  async #read(id: SubscriptionId, key: CatalogKey): Promise<Sending | undefined> {
    const { catalog, clock, url, tokenKey, signer } = this.#deps;
    const [subscription, topic, message] = await Promise.all([
      catalog.get<Subscription>(subscriptionKey(id)),
      catalog.get<Topic>(topicKey(id.topic)),
      catalog.get<WaitingMessage>(key),
    ]);
    if (message === undefined || topic === undefined || !isWanted(subscription?.value, message.value, clock.nowMs())) return undefined;
    return { subscription: subscription!.value, topic: topic.value, message: message.value, at: { url: url(), tokenKey, signer } };
  }

  /** Whether a mailbox has had all its mails of this hour. Its line rests until the next one then. */
  async #isMailedOut(line: Line): Promise<boolean> {
    const nowMs = this.#deps.clock.nowMs();
    const { mails } = await this.status(line.id);
    if (mails?.hour !== hourOf(nowMs) || mails.count < MAILS_MAX) return false;
    line.retryAtMs = this.#deps.clock.monotonicMs() + HOUR_MS - (nowMs % HOUR_MS);
    await this.#note(line.id, (status) => ({ ...status, error: 'Throttled' }));
    return true;
  }

  async #fail(line: Line, error: unknown): Promise<void> {
    const { clock, chance, report } = this.#deps;
    line.failures++;
    this.#tell(line, 'failed');
    line.isHalted = isBug(error);
    line.retryAtMs = clock.monotonicMs() + backOffMs(RETRY, line.failures, chance);
    const isGivenUp = error instanceof NotSent && error.isFinal;
    report({ kind: line.isHalted ? 'halted' : isGivenUp ? 'given-up' : 'retry', subscription: subscriptionArn(line.id), error });
    if (!(error instanceof NotSent)) return;
    const failed = (status: DeliveryStatus): DeliveryStatus => ({ ...status, error: error.reason });
    const noted = isGivenUp ? this.#take(line, line.waiting[0]!.key, (status) => failed(givenUp(status))) : this.#note(line.id, failed);
    // A catalog that fails as well is in the report of the next attempt.
    await noted.catch(() => undefined);
  }

  /** The message is done with. @param change What it makes of the subscription's status, the same object for nothing. */
  async #take(line: Line, key: CatalogKey, change: (status: DeliveryStatus) => DeliveryStatus = (status) => status): Promise<void> {
    const status = await this.status(line.id);
    const next = change(status);
    await this.#deps.catalog.commit([
      { key, value: undefined, expected: 'any' },
      ...(next === status ? [] : [{ key: statusKey(line.id), value: next, expected: 'any' as const }]),
    ]);
    const { sizeBytes } = line.waiting[0]!;
    line.waiting = line.waiting.slice(1);
    this.#count(line.id, -sizeBytes);
    if (line.waiting.length === 0) this.#lines.delete(subscriptionArn(line.id));
  }

  /** Nothing where the subscription has ended meanwhile: its status went with it. */
  async #note(id: SubscriptionId, change: (status: DeliveryStatus) => DeliveryStatus): Promise<void> {
    if ((await this.#deps.catalog.get(subscriptionKey(id))) === undefined) return;
    await this.#deps.catalog.commit([{ key: statusKey(id), value: change(await this.status(id)), expected: 'any' }]);
  }

  #queue(id: SubscriptionId, key: CatalogKey, sizeBytes: number): void {
    const arn = subscriptionArn(id);
    const line = this.#lines.get(arn) ?? {
      id,
      waiting: [],
      isSending: false,
      isHalted: false,
      failures: 0,
      retryAtMs: Number.NEGATIVE_INFINITY,
    };
    line.waiting.push({ key, sizeBytes });
    this.#lines.set(arn, line);
    this.#count(id, sizeBytes);
  }

  #tell({ id: { topic } }: Line, outcome: 'sent' | 'failed'): void {
    const tries = this.#tries.get(topic.account) ?? { sent: 0, failed: 0 };
    this.#tries.set(topic.account, { ...tries, [outcome]: tries[outcome] + 1 });
  }

  #count({ topic }: SubscriptionId, sizeBytes: number): void {
    this.#bytes.set(topic.account, (this.#bytes.get(topic.account) ?? 0) + sizeBytes);
  }
}

/** Whether the subscriber is still there for it. */
function isWanted(subscription: Subscription | undefined, { kind }: WaitingMessage, nowMs: EpochMs): boolean {
  if (subscription === undefined || isOver(subscription, nowMs)) return false;
  return (subscription.confirmed === undefined) === (kind === 'SubscriptionConfirmation');
}

/** How long a message may wait. Mail may take hours, and who asks for a request again is not to get two. */
function lifeMs(subscription: Subscription, { kind }: WaitingMessage): number {
  return kind === 'SubscriptionConfirmation' && !isMailed(subscription) ? CONFIRMATION_LIFE_MS : LIFE_MS;
}

function givenUp(status: DeliveryStatus): DeliveryStatus {
  return { ...status, givenUp: status.givenUp + 1 };
}

function withoutError(status: DeliveryStatus): DeliveryStatus {
  const { error, ...others } = status;
  return error === undefined ? status : others;
}

function mailed(status: DeliveryStatus, nowMs: EpochMs): DeliveryStatus {
  const hour = hourOf(nowMs);
  return { ...status, mails: { hour, count: status.mails?.hour === hour ? status.mails.count + 1 : 1 } };
}

function messageKey({ topic, id }: SubscriptionId, message: WaitingMessage): CatalogKey {
  return ['sns-message', topic.account, topic.region, topic.name, id, `${String(message.atMs).padStart(15, '0')}-${message.id}`];
}

function idOf([, account, region, name, id]: CatalogKey): SubscriptionId {
  return { topic: { account, region, name } as SubscriptionId['topic'], id: id! };
}

function statusKey({ topic, id }: SubscriptionId): CatalogKey {
  return [STATUS, topic.account, topic.region, topic.name, id];
}

function sizeOf({ text, subject = '' }: WaitingMessage): number {
  return Buffer.byteLength(text) + Buffer.byteLength(subject) + 200;
}
