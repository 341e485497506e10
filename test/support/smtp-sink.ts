/**
 * A real SMTP server (`smtp-server`) on loopback that keeps what it takes.
 */
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Head and body as they came. */
  readonly raw: string;
  /** Who logged in. */
  readonly user: unknown;
  /** It came over TLS. */
  readonly isSecure: boolean;
}

export interface SmtpSink {
  readonly port: number;
  readonly taken: TakenMail[];
  stop(): Promise<void>;
}

/** Without TLS and without a login, where nothing else is said. */
export async function startSmtpSink(options: SMTPServerOptions = {}): Promise<SmtpSink> {
  const taken: TakenMail[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData: (stream, { envelope: { mailFrom, rcptTo }, user, secure }, done) => {
      let raw = '';
      stream.setEncoding('utf8').on('data', (piece: string) => {
        raw += piece;
      });
      stream.on('end', () => {
        taken.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw,
          user,
          isSecure: secure,
        });
        done();
      });
    },
    ...options,
  });
  // A client that goes away in the middle is no matter of the test.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.server.address() as AddressInfo).port,
    taken,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Fields of a mail's head, in lower case and unfolded, and its text, decoded. */
export function readMail(raw: string): { readonly head: Readonly<Record<string, string>>; readonly text: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const head = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]));
  const body = raw.slice(end + 4);
  switch (head['content-transfer-encoding']) {
    case 'base64':
      return { head, text: Buffer.from(body, 'base64').toString('utf8') };
    case 'quoted-printable': {
      const bytes = body
        .replace(/=\r\n/g, '')
        .replace(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      return { head, text: Buffer.from(bytes, 'latin1').toString('utf8').trimEnd().replaceAll('\r\n', '\n') };
    }
    default:
      return { head, text: body.trimEnd().replaceAll('\r\n', '\n') };
  }
}
