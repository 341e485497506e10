/**
 * Topics and their subscribers on memory stores: URLs are functions, and there is one queue service.
 */
import { createHash, type KeyObject } from 'node:crypto';
import type { Call, Decision, Operation } from '../../src/api/operation.ts';
import { Deliveries, type DeliveryProblem } from '../../src/sns/deliveries.ts';
import { topicAccess } from '../../src/sns/find-topic.ts';
import { MessageSigner } from '../../src/sns/message-signer.ts';
import { snsOperations } from '../../src/sns/operations.ts';
import type { SnsDeps, SnsInput } from '../../src/sns/sns-deps.ts';
import { generateRsaKey } from '../../src/store/keyring.ts';
import type { Mail, MailError, Mailer } from '../../src/store/mailer.ts';
import { createMemoryOutbound, type OutboundHandler } from '../../src/store/memory/outbound.ts';
import type { OutboundRequest } from '../../src/store/outbound.ts';
import { PageTokens } from '../../src/store/page-tokens.ts';
import { type Queues, QueuesError } from '../../src/store/queues.ts';
import { TrailRig } from './trail-rig.ts';

/** One for all: it takes long to make. */
let rsaKey: Promise<KeyObject> | undefined;

export class SnsRig {
  readonly trail = new TrailRig();
  /** Policies and texts of queues, by ARN. */
  readonly queues = new Map<string, { policy?: string; readonly texts: string[] }>();
  /** What each origin was sent. */
  readonly requests: OutboundRequest[] = [];
  readonly handlers = new Map<string, OutboundHandler>();
  readonly names = new Map<string, readonly string[]>();
  readonly problems: DeliveryProblem[] = [];
  /** What was mailed. */
  readonly mails: Mail[] = [];
  /** Mail is refused with it while it is set. */
  refusal: MailError | undefined;
  deps!: SnsDeps;
  signer!: MessageSigner;
  #running = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  /** Opens the deliveries, or opens them anew as after a restart, and sends from now on. */
  async open({ isSending = true }: { readonly isSending?: boolean } = {}): Promise<void> {
    const { catalog, journal, clock, chance, keys } = this.trail;
    await this.stop();
    this.#running = new AbortController();
    const tokenKey = new Uint8Array(32).fill(7);
    this.signer = await MessageSigner.open({
      catalog,
      keys,
      clock,
      chance,
      name: 'snowtrail/test',
      makeRsaKey: () => (rsaKey ??= generateRsaKey()),
    });
    // What is sent does not wait for the key.
    await this.signer.sign('1', '');
    const deliveries = await Deliveries.open({
      catalog,
      clock,
      chance,
      tokenKey,
      outbound: createMemoryOutbound({ clock, handlers: this.handlers, names: this.names }),
      queues: this.#queues(),
      mailer: this.#mailer(),
      signer: this.signer,
      url: () => 'https://audit.example',
      report: (problem) => this.problems.push(problem),
    });
    const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
    const tokens = new PageTokens(keys, chance);
    this.deps = { catalog, journal, clock, chance, sha256, tokens, tokenKey, deliveries, hasQueues: true, hasMailer: true };
    if (isSending) this.#ended = deliveries.run(this.#running.signal);
  }

  /** Aborts when the sending is to end. */
  get signal(): AbortSignal {
    return this.#running.signal;
  }

  async stop(): Promise<void> {
    this.#running.abort();
    await this.#ended;
  }

  /** Answers requests to an origin with a status, which a test may change. */
  answer(origin: string, status = 200): { status: number } {
    const state = { status };
    this.handlers.set(origin, async (request) => {
      this.requests.push(request);
      return { status: state.status, headers: {}, body: new Uint8Array() };
    });
    return state;
  }

  /** What was sent to URLs and forget it: headers and bodies, read as JSON where they are. */
  // biome-ignore lint/suspicious/noExplicitAny: messages are looked at by the test that knows their form.
  taken(): { readonly headers: Readonly<Record<string, string>>; readonly body: any }[] {
    return this.requests.splice(0).map(({ headers = {}, body }) => {
      const text = new TextDecoder().decode(body);
      return { headers, body: text.startsWith('{') ? JSON.parse(text) : text };
    });
  }

  operation(name: string): Operation<SnsInput, unknown> {
    return snsOperations(this.deps).find((each) => each.name === name) as Operation<SnsInput, unknown>;
  }

  /** What the caller of an operation must be allowed, and what the topic says of it. */
  async access(name: string, input: SnsInput, call: Call) {
    const requests = await this.operation(name).access!(call, input);
    return Promise.all(requests.map(async (request) => ({ ...request, found: await topicAccess(this.deps)({ call, ...request }) })));
  }

  async decide(name: string, input: SnsInput, call: Call = this.trail.call()): Promise<Decision<unknown>> {
    return this.operation(name).decide(call, input);
  }

  /** Decides and carries out. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that knows the operation.
  async send(name: string, input: SnsInput = {}, call?: Call): Promise<any> {
    const decision = await this.decide(name, input, call);
    await decision.apply?.();
    return decision.output;
  }

  /** Lets time pass, and what is due be sent. */
  async pass(ms: number): Promise<void> {
    await this.settle();
    await this.trail.clock.advance(ms);
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  #mailer(): Mailer {
    return {
      send: async (mail) => {
        if (this.refusal !== undefined) throw this.refusal;
        this.mails.push(mail);
      },
    };
  }

  #queues(): Queues {
    const find = (arn: string) => {
      const queue = this.queues.get(arn);
      if (queue === undefined) throw new QueuesError('QueueDoesNotExist', `no queue \`${arn}\``);
      return queue;
    };
    return {
      policyOf: async (arn) => find(arn).policy,
      send: async (arn, text) => void find(arn).texts.push(text),
    };
  }
}
