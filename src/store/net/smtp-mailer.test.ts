/**
 * Against a real SMTP server, `smtp-server`, on loopback.
 */
import type { SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, test } from 'vitest';
import { readMail, type SmtpSink, startSmtpSink, type TakenMail } from '../../../test/support/smtp-sink.ts';
import type { EpochMs } from '../../event/types.ts';
import type { Mail } from '../mailer.ts';
import { createSmtpMailer, type SmtpOptions } from './smtp-mailer.ts';

const sinks: SmtpSink[] = [];

afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.stop();
});

async function listen(options: SMTPServerOptions = {}): Promise<{ taken: readonly TakenMail[]; smtp: SmtpOptions }> {
  const sink = await startSmtpSink(options);
  sinks.push(sink);
  return { taken: sink.taken, smtp: { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'audit@example.com', fromName: 'Audit' } };
}

const MAIL: Mail = {
  to: 'ann@example.org',
  subject: 'a subject',
  text: 'a text\n.\nits end',
  id: '11111111-2222',
  atMs: Date.UTC(2026, 10, 2, 3, 4, 5) as EpochMs,
};

describe('the SMTP mailer', () => {
  test('hands a mail to the server, with a lasting id and the headers that were given', async () => {
    const { taken, smtp } = await listen();
    await createSmtpMailer(smtp).send({ ...MAIL, headers: { 'x-amz-sns-message-type': 'Notification' } });
    expect(taken).toMatchObject([{ from: 'audit@example.com', to: ['ann@example.org'] }]);
    const { head, text } = readMail(taken[0]!.raw);
    expect(head).toMatchObject({
      from: 'Audit <audit@example.com>',
      to: 'ann@example.org',
      subject: 'a subject',
      'message-id': '<11111111-2222@example.com>',
      date: 'Mon, 02 Nov 2026 03:04:05 +0000',
      'auto-submitted': 'auto-generated',
      'x-amz-sns-message-type': 'Notification',
    });
    expect(text).toBe(MAIL.text);
  });

  test('A81 no text becomes a header, a recipient or a command', async () => {
    const { taken, smtp } = await listen();
    const evil = 'x\r\nBcc: eve@example.org\r\n\r\n.\r\nRCPT TO:<eve@example.org>\r\nQUIT\u2028\u0000';
    await createSmtpMailer(smtp).send({ ...MAIL, subject: evil, fromName: `"${evil}" <eve@example.org>,`, text: evil });
    expect(taken).toHaveLength(1);
    const [{ to, raw } = expect.unreachable()] = taken;
    expect(to).toEqual(['ann@example.org']);
    expect(Object.keys(readMail(raw).head).sort()).toEqual([
      'auto-submitted',
      'content-transfer-encoding',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ]);
  });

  test('logs in with its credentials, and says when they are not taken, without them', async () => {
    const onAuth: SMTPServerOptions['onAuth'] = ({ username, password }, _session, done) =>
      username === 'audit' && password === 'a-secret' ? done(null, { user: username }) : done(new Error('who are you'));
    const { taken, smtp } = await listen({ authOptional: false, allowInsecureAuth: true, onAuth });
    await createSmtpMailer({ ...smtp, credentials: { user: 'audit', password: 'a-secret' } }).send(MAIL);
    expect(taken).toMatchObject([{ user: 'audit' }]);
    const wrong = createSmtpMailer({ ...smtp, credentials: { user: 'audit', password: 'wrong-secret' } }).send(MAIL);
    await expect(wrong).rejects.toMatchObject({ reason: 'Smtp535', isFinal: false });
    await expect(wrong).rejects.not.toMatchObject({ message: expect.stringContaining('wrong-secret') });
  });

  test('a recipient that is refused for good is told from one that may be taken later', async () => {
    const refusals = new Map([
      ['gone@example.org', 550],
      ['later@example.org', 450],
    ]);
    const { smtp } = await listen({
      onRcptTo: ({ address }, _session, done) => {
        const responseCode = refusals.get(address);
        done(responseCode === undefined ? null : Object.assign(new Error('no'), { responseCode }));
      },
    });
    const mailer = createSmtpMailer(smtp);
    await expect(mailer.send({ ...MAIL, to: 'gone@example.org' })).rejects.toMatchObject({ reason: 'Smtp550', isFinal: true });
    await expect(mailer.send({ ...MAIL, to: 'later@example.org' })).rejects.toMatchObject({ reason: 'Smtp450', isFinal: false });
  });

  test('nobody who listens is no answer', async () => {
    const { smtp } = await listen();
    await sinks[0]!.stop();
    await expect(createSmtpMailer(smtp).send(MAIL)).rejects.toMatchObject({ reason: 'NoAnswer', isFinal: false });
  });

  test('says nothing to a server that does not encrypt, and to one whose certificate nobody vouches for', async () => {
    const heard: string[] = [];
    const onMailFrom: SMTPServerOptions['onMailFrom'] = ({ address }, _session, done) => done(void heard.push(address) as undefined);
    const plain = await listen({ onMailFrom });
    await expect(createSmtpMailer({ ...plain.smtp, tls: 'starttls' }).send(MAIL)).rejects.toMatchObject({ isFinal: false });
    const unknown = await listen({ disabledCommands: [], onMailFrom });
    await expect(createSmtpMailer({ ...unknown.smtp, tls: 'starttls' }).send(MAIL)).rejects.toMatchObject({ reason: 'NoAnswer' });
    const implicit = await listen({ secure: true, onMailFrom });
    await expect(createSmtpMailer({ ...implicit.smtp, tls: 'implicit' }).send(MAIL)).rejects.toMatchObject({ reason: 'NoAnswer' });
    expect(heard).toEqual([]);
  });
});
