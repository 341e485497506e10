/**
 * Queues that topics of this installation hand on to, at a foreign SQS.
 *
 * Promises, for every implementation: `send` returns when the service has the message. After an error it may have it or not: whoever
 * repeats a call may have said it twice. Whether the topic may send is asked before, of the queue's policy.
 */
export interface Queues {
  /**
   * The queue's policy as JSON; absent where it has none.
   * @throws QueuesError where there is no such queue, or no answer came
   */
  policyOf(queueArn: string): Promise<string | undefined>;
  /** @throws QueuesError */
  send(queueArn: string, text: string): Promise<void>;
}

/** No answer, or a refusal. */
export class QueuesError extends Error {
  override readonly name = 'QueuesError';
  /** The service's code, or the system's where no answer came. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** An ARN of a queue, taken apart; `undefined` when it is none, or of one that keeps an order. */
export function readQueueArn(arn: string): { readonly region: string; readonly account: string; readonly name: string } | undefined {
  const match = /^arn:aws[a-z-]{0,10}:sqs:([a-z0-9-]{1,32}):([0-9]{12}):([A-Za-z0-9_-]{1,80})$/.exec(arn);
  return match === null ? undefined : { region: match[1]!, account: match[2]!, name: match[3]! };
}
