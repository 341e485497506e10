/**
 * Topics that trails tell of their deliveries: built in, or at a foreign SNS.
 *
 * Promises, for every implementation: `publish` returns when the service has taken the message. After an error it may have taken
 * it or not: whoever repeats a call may have said it twice. Whether the trail may publish is asked before, of the topic's policy.
 */

/** What is known of a topic. */
export type TopicLook =
  /** `policy` as JSON; absent where it has none. */
  | { readonly kind: 'there'; readonly policy?: string }
  | { readonly kind: 'missing' }
  /** Nobody here may look at its policy: the service decides at each message. */
  | { readonly kind: 'unreadable' };

export interface Topics {
  /** @throws TopicsError where no answer came */
  look(topicArn: string): Promise<TopicLook>;
  /**
   * @param message At most 256 KiB of text.
   * @throws TopicsError
   */
  publish(topicArn: string, message: string): Promise<void>;
}

/** No answer, or a refusal. */
export class TopicsError extends Error {
  override readonly name = 'TopicsError';
  /** The service's code such as `AuthorizationError`; the system's, or `timeout`, where no answer came. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** An ARN of a topic, taken apart; `undefined` when it is none. Topics that keep an order are none of a trail's. */
export function readTopicArn(arn: string): { readonly region: string; readonly account: string; readonly name: string } | undefined {
  const match = /^arn:aws[a-z-]*:sns:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,256})$/.exec(arn);
  return match === null ? undefined : { region: match[1]!, account: match[2]!, name: match[3]! };
}
