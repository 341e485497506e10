import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { clientOf, trustedProxies } from './client-of.ts';

const isTrusted = trustedProxies(['10.0.0.0/8', '2001:db8::/32']);
const request = (remoteAddress: string, headers: Record<string, string> = {}, isTls = false) =>
  clientOf({ socket: { remoteAddress, ...(isTls ? { encrypted: true } : {}) } as TLSSocket, headers }, isTrusted);
const from = (peer: string, hops: string, proto = 'https') => request(peer, { 'x-forwarded-for': hops, 'x-forwarded-proto': proto });

describe('the client of a request', () => {
  test('is the peer of the connection, secure where that has TLS', () => {
    expect(request('203.0.113.7')).toEqual({ address: '203.0.113.7', isSecure: false });
    expect(request('::ffff:203.0.113.7', {}, true)).toEqual({ address: '203.0.113.7', isSecure: true });
  });

  test.each<[what: string, peer: string, hops: string, address: string, isSecure?: boolean]>([
    ['a stranger names itself somebody else', '203.0.113.7', '192.0.2.1', '203.0.113.7', false],
    ['a trusted proxy names the client', '10.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['a client puts hops before its own', '10.0.0.1', '192.0.2.1, 203.0.113.7', '203.0.113.7'],
    ['a client names a trusted proxy before its own', '10.0.0.1', '192.0.2.1, 10.9.9.9, 203.0.113.7', '203.0.113.7'],
    ['several trusted proxies are passed over', '10.0.0.1', '192.0.2.1, 203.0.113.7, 10.0.0.3, 2001:db8::5', '203.0.113.7'],
    ['the client is one of the trusted network', '10.0.0.1', '10.0.0.9, 10.0.0.3', '10.0.0.9'],
    ['a port is left out', '10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['a port of version 6, too', '10.0.0.1', '[2001:db9::7]:4711', '2001:db9::7'],
    ['what is no address is not believed', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['nor is what stands left of it', '10.0.0.1', '192.0.2.1, "x", 10.0.0.2', '10.0.0.2'],
    ['an address in octal is none', '10.0.0.1', '0300.0.2.1', '10.0.0.1'],
    ['nothing is said', '10.0.0.1', '', '10.0.0.1'],
    ['a client puts more hops before its own than there can be', '10.0.0.1', `${'10.0.0.9,'.repeat(40)}203.0.113.7`, '203.0.113.7'],
    ['a client writes a long text before its own', '10.0.0.1', `${'x'.repeat(8_000)}, 203.0.113.7`, '203.0.113.7'],
    ['spaces do the same', '10.0.0.1', `${' '.repeat(8_000)}203.0.113.7`, '203.0.113.7'],
    ['a proxy in version 6 spelling', '::ffff:10.0.0.1', '203.0.113.7', '203.0.113.7'],
  ])('%s (A63)', (_, peer, hops, address, isSecure = true) => {
    expect(from(peer, hops)).toEqual({ address, isSecure });
  });

  test('is secure behind a proxy when every hop says so, and not when none says anything', () => {
    expect(from('10.0.0.1', '203.0.113.7', 'http').isSecure).toBe(false);
    expect(from('10.0.0.1', '203.0.113.7', 'http, https').isSecure).toBe(false);
    expect(from('10.0.0.1', '203.0.113.7', 'HTTPS,https').isSecure).toBe(true);
    expect(request('10.0.0.1', { 'x-forwarded-for': '203.0.113.7' }, true).isSecure).toBe(false);
    expect(request('203.0.113.7', { 'x-forwarded-proto': 'https' }).isSecure).toBe(false);
  });

  test('a range that is none is refused', () => {
    expect(() => trustedProxies(['10.0.0.0/33'])).toThrow('`10.0.0.0/33` is no address or range');
    expect(() => trustedProxies(['proxy.internal'])).toThrow('no address or range');
  });
});
