/**
 * Sends mail for topics of this installation.
 *
 * Promises, for every implementation: `send` returns when a server has taken the mail. After an error it may have it or not: whoever
 * repeats a call may have said it twice. No text of a mail becomes another header or another recipient of it, whatever it holds.
 */
import type { EpochMs } from '../event/types.ts';

export interface Mail {
  /** One address (`isMailAddress`). */
  readonly to: string;
  /** Who it is from, as people read it. Absent: the name that our operator chose, if any. */
  readonly fromName?: string;
  readonly subject: string;
  readonly text: string;
  /** The same when it is sent again: letters, digits, dots and hyphens. */
  readonly id: string;
  readonly atMs: EpochMs;
  /** Names and values are ours. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Mailer {
  /** @throws MailError */
  send(mail: Mail): Promise<void>;
}

/** No answer, or a refusal. */
export class MailError extends Error {
  override readonly name = 'MailError';
  /** `Smtp550`, with the server's number; `NoAnswer` where there was none. */
  readonly reason: string;
  /** The server will not have this mail for this recipient, however often it is asked. */
  readonly isFinal: boolean;

  constructor(reason: string, message: string, options: { readonly isFinal: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.isFinal = options.isFinal;
  }
}

/**
 * Whether a text is the address of one mailbox, in the plain form that all servers read alike: ASCII, no quotes, comments, lists,
 * routes or addresses in brackets.
 * Source: RFC 5321 §4.5.3.1 (lengths); HTML Living Standard, "valid email address" (characters).
 */
export function isMailAddress(text: string): boolean {
  const match =
    /^([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@((?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63})$/.exec(
      text.length > 254 ? '' : text,
    );
  return match !== null && match[1]!.length <= 64 && match[2]!.split('.').every((label) => !/^-|-$/.test(label));
}
