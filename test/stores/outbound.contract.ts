/**
 * What every implementation of `Outbound` promises.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Outbound, OutboundFailed, OutboundRefused, type OutboundRequest, type OutboundResponse } from '../../src/store/outbound.ts';

/** How the other side behaves at one request. */
export type Behaviour =
  | OutboundResponse
  /** Never answers. */
  | 'hang'
  /** Takes the request and breaks the connection. */
  | 'break';

export interface OutboundRig {
  readonly outbound: Outbound;
  /** Where somebody answers; the address is allowed. */
  readonly url: string;
  /** Where nobody listens; the address is allowed. */
  readonly deadUrl: string;
  /** Requests that came in so far, `host` in the headers. */
  readonly seen: readonly Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'body'>[];
  behave(behaviour: Behaviour): void;
  /** Waits until the next request came in. */
  arrived(): Promise<void>;
  /** Lets a time limit of `ms` pass; a rig with a real clock need not do anything. */
  pass(ms: number): Promise<void>;
  end(): Promise<void>;
}

const answer = (body = 'ok', status = 200, headers: Record<string, string> = {}): OutboundResponse => ({
  status,
  headers,
  body: new TextEncoder().encode(body),
});

export function describeOutbound(name: string, open: () => Promise<OutboundRig>): void {
  describe(`${name}: outbound`, () => {
    let rig: OutboundRig;
    beforeEach(async () => {
      rig = await open();
      rig.behave(answer());
    });
    afterEach(async () => {
      await rig.outbound.close();
      await rig.end();
    });

    const send = (more: Partial<OutboundRequest> = {}) =>
      rig.outbound.send({ method: 'GET', url: rig.url, timeoutMs: 10_000, responseBytesMax: 1_000, ...more });

    test('method, path, headers and body arrive, and the answer comes back as it is', async () => {
      rig.behave(answer('made', 201, { 'x-id': '7' }));
      const body = new TextEncoder().encode('{"a":1}');
      const response = await send({ method: 'POST', url: `${rig.url}/hook?x=1`, headers: { 'X-Signature': 'abc' }, body });
      expect([response.status, response.headers['x-id'], Buffer.from(response.body).toString()]).toEqual([201, '7', 'made']);
      const [seen] = rig.seen;
      expect([seen?.method, new URL(seen?.url ?? '').pathname, new URL(seen?.url ?? '').search]).toEqual(['POST', '/hook', '?x=1']);
      expect(seen?.headers).toMatchObject({ 'x-signature': 'abc' });
      expect(Buffer.from(seen?.body ?? []).toString()).toBe('{"a":1}');
    });

    test('a redirect is an answer like others, and is not followed', async () => {
      rig.behave(answer('', 302, { location: 'http://169.254.169.254/latest/meta-data' }));
      expect(await send()).toMatchObject({ status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data' } });
      expect(rig.seen).toHaveLength(1);
    });

    test('addresses that are not of the public internet are refused, in every spelling, and nothing is sent (A80)', async () => {
      const hosts = [
        '169.254.169.254',
        '127.0.0.2',
        '127.2',
        '0x7f000002',
        '2130706434',
        '0177.0.0.2',
        '①②⑦.0.0.2',
        '127.0.0.2.',
        '10.1.2.3',
        '172.16.0.1',
        '192.168.0.1',
        '100.64.0.1',
        '0.0.0.0',
        '255.255.255.255',
        '224.0.0.1',
        '[::]',
        '[::ffff:a9fe:a9fe]',
        '[::ffff:127.0.0.2]',
        '[::7f00:2]',
        '[64:ff9b::a9fe:a9fe]',
        '[2002:7f00:2::]',
        '[fe80::1]',
        '[fd00:ec2::254]',
        '[fec0::1]',
        '[ff02::1]',
      ];
      for (const host of hosts) {
        await expect(send({ url: `http://${host}/` }), host).rejects.toThrow(OutboundRefused);
        await expect(send({ url: `https://${host}/` }), host).rejects.toThrow(OutboundRefused);
      }
      expect(rig.seen).toEqual([]);
    });

    test('schemes other than http and https, credentials, white space and what is no URL are refused (A81)', async () => {
      const host = new URL(rig.url).host;
      const urls = ['file:///etc/passwd', 'gopher://x/', 'data:,x', 'ftp://x/', `http://user:secret@${host}/`, `http://user@${host}/`];
      const more = ['nonsense', '', '//x/', `${rig.url}/a\r\nX-Evil: 1`, `${rig.url}/a b`, ` ${rig.url}`, 'http://'];
      for (const url of [...urls, ...more]) await expect(send({ url }), url).rejects.toThrow(OutboundRefused);
      expect(rig.seen).toEqual([]);
    });

    test('headers that would smuggle, or that the client sets itself, are refused', async () => {
      const headers: Record<string, string>[] = [
        { 'x-a': 'b\r\nx-evil: 1' },
        { 'x-a': 'b\nc' },
        { 'x-a': 'b\0' },
        { 'x-a\r\nb': 'c' },
        { 'x a': 'b' },
        { '': 'b' },
      ];
      const own: Record<string, string>[] = [
        { Host: 'internal' },
        { 'Content-Length': '0' },
        { 'transfer-encoding': 'chunked' },
        { connection: 'upgrade' },
      ];
      for (const each of [...headers, ...own]) await expect(send({ headers: each })).rejects.toThrow(OutboundRefused);
      await expect(send({ method: 'CONNECT' as 'GET' })).rejects.toThrow(OutboundRefused);
      expect(rig.seen).toEqual([]);
    });

    test('an answer that is longer than allowed is a failure; one of just that length is not', async () => {
      rig.behave(answer('x'.repeat(1_000)));
      expect((await send()).body).toHaveLength(1_000);
      rig.behave(answer('x'.repeat(1_001)));
      await expect(send()).rejects.toMatchObject({ name: 'OutboundFailed', code: 'ResponseTooLarge' });
    });

    test('no answer within the time limit is a failure, though the other side may have acted', async () => {
      rig.behave('hang');
      const arrived = rig.arrived();
      const sending = send({ timeoutMs: 300 });
      const failed = expect(sending).rejects.toMatchObject({ name: 'OutboundFailed', code: 'timeout' });
      await arrived;
      await rig.pass(300);
      await failed;
      expect(rig.seen).toHaveLength(1);
    });

    test('a connection that breaks after the request was sent is a failure', async () => {
      rig.behave('break');
      await expect(send({ method: 'PUT', body: new Uint8Array(10) })).rejects.toMatchObject({ name: 'OutboundFailed', code: 'ECONNRESET' });
      expect(rig.seen).toHaveLength(1);
    });

    test('where nobody listens, the system says so', async () => {
      await expect(send({ url: rig.deadUrl })).rejects.toMatchObject({ name: 'OutboundFailed', code: 'ECONNREFUSED' });
    });

    test('limits outside of the allowed are a mistake of the caller', async () => {
      for (const timeoutMs of [0, -1, 600_001, Number.NaN]) await expect(send({ timeoutMs })).rejects.toThrow(RangeError);
      await expect(send({ responseBytesMax: -1 })).rejects.toThrow(RangeError);
    });

    test('nothing is sent after it was closed', async () => {
      await rig.outbound.close();
      await expect(send()).rejects.toThrow(OutboundFailed);
      expect(rig.seen).toEqual([]);
    });
  });
}
