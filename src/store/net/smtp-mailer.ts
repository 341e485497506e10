/**
 * Mail by the SMTP server that our operator names.
 *
 * It goes nowhere else: the host is trusted as it was configured, so it may be an inner one. Certificates are checked. Nothing that the
 * server says is told to callers but its number, and no credential is in a message or a log.
 */
import type { NodemailerError, SendMailOptions, SMTPTransportOptions } from 'nodemailer';
import { type Mail, MailError, type Mailer } from '../mailer.ts';

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  /** `starttls`: plain until both agree to encrypt, and nothing is said before; `implicit`: from the first byte; `none`: never. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** The address that all mail is from. */
  readonly from: string;
  readonly fromName?: string | undefined;
  readonly credentials?: { readonly user: string; readonly password: string } | undefined;
}

/** How long the server may be silent, and how long a mail may take in all. */
const SILENCE_MS = 15_000;
const MAIL_MS = 60_000;

/** Nothing is loaded, and nobody connected to, before a mail is sent. */
export function createSmtpMailer(options: SmtpOptions): Mailer {
  return {
    send: async (mail) => {
      const { createTransport } = await import('nodemailer');
      try {
        await createTransport(transportOf(options)).sendMail({ ...messageOf(mail, options), signal: AbortSignal.timeout(MAIL_MS) });
      } catch (cause) {
        throw errorOf(cause, mail, options);
      }
    },
  };
}

function transportOf({ host, port, tls, credentials }: SmtpOptions): SMTPTransportOptions {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(credentials === undefined ? {} : { auth: { user: credentials.user, pass: credentials.password } }),
    connectionTimeout: SILENCE_MS,
    greetingTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    dnsTimeout: SILENCE_MS,
    logger: false,
    // No member of a mail names a file or an address to read from.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** The envelope is given apart: who gets it is not read from headers. */
function messageOf(mail: Mail, options: SmtpOptions): SendMailOptions {
  const name = mail.fromName ?? options.fromName;
  return {
    envelope: { from: options.from, to: [mail.to] },
    from: { address: options.from, name: name === undefined ? '' : oneLine(name) },
    to: { address: mail.to, name: '' },
    subject: oneLine(mail.subject),
    text: mail.text,
    messageId: `<${mail.id}@${options.from.slice(options.from.indexOf('@') + 1)}>`,
    date: new Date(mail.atMs),
    // No machine that answers mail is to answer this one.
    headers: { 'Auto-Submitted': 'auto-generated', ...mail.headers },
  };
}

/** Without what ends a header or cannot be seen. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

function errorOf(cause: unknown, mail: Mail, { host, port }: SmtpOptions): MailError {
  const { code, responseCode, command, response } = cause as NodemailerError;
  if (responseCode === undefined)
    return new MailError('NoAnswer', `the SMTP server ${host}:${port} did not take a mail: ${code ?? String(cause)}`, {
      isFinal: false,
      cause,
    });
  // Before the recipient is named, a refusal is about us, and may be mended here.
  const isFinal = responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA');
  const words = oneLine(response ?? '').slice(0, 200);
  return new MailError(`Smtp${responseCode}`, `the SMTP server ${host}:${port} refused a mail to \`${mail.to}\`: ${words}`, {
    isFinal,
    cause,
  });
}
