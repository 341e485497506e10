/**
 * The messages that wait for subscribers, and their sending.
 *
 * What waits is in the catalog, so that it outlives a restart; a message is taken away when its subscriber has it, so that a crash
 * between the two sends it twice. Order is not promised. A subscriber that does not answer delays no other: each has a line of its
 * own, few of one account are asked at a time, and what it has not taken for a day is given up and counted.
 *
 * One `Deliveries` owns all lines of an installation: what others write below `sns-message` it does not see.
 */
import type { AccountId, EpochMs } from '../event/types.ts';
import { backOffMs } from '../store/back-off.ts';
import type { Catalog, CatalogChange, CatalogDocument, CatalogKey } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import { isBug } from '../store/is-bug.ts';
import { NotSent, type SendDeps, sendMessage } from './send-message.ts';
import { isOver, type Subscription, type SubscriptionId, subscriptionArn, subscriptionKey } from './subscription.ts';
import { type WaitingMessage, writeMessage } from './subscription-message.ts';

export interface DeliveriesDeps extends SendDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  /** Makes the tokens of messages. Secret. */
  readonly tokenKey: Uint8Array;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Where this server is, as its subscribers see it. */
  readonly url: () => string;
  readonly report: (problem: DeliveryProblem) => void;
}

/** A message was not taken; it is tried again, but where the line is `halted` by a bug. */
export interface DeliveryProblem {
  readonly kind: 'retry' | 'halted';
  readonly subscription: string;
  readonly error: unknown;
}

/** How a subscription does. */
export interface DeliveryStatus {
  /** Messages that were given up. */
  readonly givenUp: number;
  /** Absent when the last attempt succeeded. */
  readonly error?: string;
}

/** The same message for several subscribers. */
export interface Parcel {
  readonly subscription: Subscription;
  readonly message: WaitingMessage;
}

/** Most messages that wait for one subscriber, and most bytes of what waits for those of one account's topics. */
const LINE_MAX = 1_000;
const ACCOUNT_BYTES_MAX = 64 * 1024 * 1024;
const LIFE_MS = { Notification: 24 * 3600 * 1000, SubscriptionConfirmation: 10 * 60 * 1000 } as const;
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
        await this.#note(subscription, ({ givenUp }) => ({ givenUp: givenUp + 1, error: 'TooManyWaiting' }));
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

  /** What goes with a subscription that ends. A message that comes meanwhile finds nobody, and is dropped. */
  changesOfEnd(id: SubscriptionId): readonly CatalogChange[] {
    const waiting = this.#lines.get(subscriptionArn(id))?.waiting ?? [];
    return [statusKey(id), ...waiting.map(({ key }) => key)].map((key) => ({ key, value: undefined, expected: 'any' }));
  }

  /** Sends until `signal` aborts; resolves when nothing is being sent any more. */
  async run(signal: AbortSignal): Promise<void> {
    const sending = new Set<Promise<void>>();
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
      await this.#deps.clock.sleep(this.#restMs(), AbortSignal.any([signal, this.#wake.signal]));
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
      const [subscription, waiting] = await Promise.all([
        this.#deps.catalog.get<Subscription>(subscriptionKey(line.id)),
        this.#deps.catalog.get<WaitingMessage>(key),
      ]);
      const nowMs = clock.nowMs();
      if (waiting === undefined || !isWanted(subscription?.value, waiting.value, nowMs)) return await this.#take(line, key);
      if (waiting.value.atMs < nowMs - LIFE_MS[waiting.value.kind]) {
        await this.#note(line.id, (status) => ({ ...status, givenUp: status.givenUp + 1 }));
        return await this.#take(line, key);
      }
      const at = { url: this.#deps.url(), tokenKey: this.#deps.tokenKey };
      const sent = sendMessage(this.#deps, subscription!.value, writeMessage(subscription!.value, waiting.value, at));
      // Who does not answer does not keep the server from ending: it is sent to again after the next start.
      sent.catch(() => undefined);
      if ((await Promise.race([sent, aborted(signal)])) === 'aborted') return;
      await this.#take(line, key);
      if (line.failures > 0 || (await this.status(line.id)).error !== undefined) await this.#note(line.id, ({ givenUp }) => ({ givenUp }));
      line.failures = 0;
    } catch (error) {
      await this.#fail(line, error);
    }
  }

  async #fail(line: Line, error: unknown): Promise<void> {
    const { clock, chance, report } = this.#deps;
    line.failures++;
    line.isHalted = isBug(error);
    line.retryAtMs = clock.monotonicMs() + backOffMs(RETRY, line.failures, chance);
    report({ kind: line.isHalted ? 'halted' : 'retry', subscription: subscriptionArn(line.id), error });
    // A catalog that fails as well is in the report of the next attempt.
    if (error instanceof NotSent) await this.#note(line.id, (status) => ({ ...status, error: error.reason })).catch(() => undefined);
  }

  /** The message is done with. */
  async #take(line: Line, key: CatalogKey): Promise<void> {
    await this.#deps.catalog.commit([{ key, value: undefined, expected: 'any' }]);
    const { sizeBytes } = line.waiting[0]!;
    line.waiting = line.waiting.slice(1);
    this.#count(line.id, -sizeBytes);
    if (line.waiting.length === 0) this.#lines.delete(subscriptionArn(line.id));
  }

  async #note(id: SubscriptionId, change: (status: DeliveryStatus) => DeliveryStatus): Promise<void> {
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

  #count({ topic }: SubscriptionId, sizeBytes: number): void {
    this.#bytes.set(topic.account, (this.#bytes.get(topic.account) ?? 0) + sizeBytes);
  }
}

/** Whether the subscriber is still there for it. */
function isWanted(subscription: Subscription | undefined, { kind }: WaitingMessage, nowMs: EpochMs): boolean {
  if (subscription === undefined || isOver(subscription, nowMs)) return false;
  return (subscription.confirmed === undefined) === (kind === 'SubscriptionConfirmation');
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('aborted');
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}

function messageKey({ topic, id }: SubscriptionId, message: WaitingMessage): CatalogKey {
  return ['sns-message', topic.account, topic.region, topic.name, id, `${String(message.atMs).padStart(15, '0')}-${message.id}`];
}

function idOf([, account, region, name, id]: CatalogKey): SubscriptionId {
  return { topic: { account, region, name } as SubscriptionId['topic'], id: id! };
}

function statusKey({ topic, id }: SubscriptionId): CatalogKey {
  return ['sns-subscription-status', topic.account, topic.region, topic.name, id];
}

function sizeOf({ text, subject = '' }: WaitingMessage): number {
  return Buffer.byteLength(text) + Buffer.byteLength(subject) + 200;
}
