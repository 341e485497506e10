import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { AddressRefused, type CheckedAddress, createAddressGuard, isPublic } from './address-guard.ts';
import { createGuardedAgents } from './guarded-agents.ts';

const namesOf = (names: Record<string, string[]>) => async (host: string) =>
  (names[host] ?? []).map((address): CheckedAddress => ({ address, family: address.includes(':') ? 6 : 4 }));

describe('createAddressGuard', () => {
  test('a name is refused when any one of its addresses is not public', async () => {
    const guard = createAddressGuard({
      resolve: namesOf({
        'good.example': ['8.8.8.8', '2606:4700::1111'],
        'mixed.example': ['8.8.8.8', '10.0.0.1'],
        'bad.example': ['::1'],
      }),
    });
    expect((await guard.check('Good.Example.')).map(({ address }) => address)).toEqual(['8.8.8.8', '2606:4700::1111']);
    await expect(guard.check('mixed.example')).rejects.toThrow(AddressRefused);
    await expect(guard.check('bad.example')).rejects.toThrow(/`bad.example` at `::1`/);
    await expect(guard.check('none.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('ranges and hosts that are allowed are allowed, and no more', async () => {
    const guard = createAddressGuard({
      allow: ['10.0.0.0/8', 'fd00::/8', 'siem.internal'],
      resolve: namesOf({ 'siem.internal': ['192.168.7.7'], 'other.internal': ['192.168.7.7'], 'ten.internal': ['10.9.9.9', 'fd12::1'] }),
    });
    for (const host of ['10.1.2.3', '[fd00::1]', '::ffff:10.1.2.3', 'siem.internal', 'ten.internal'])
      expect(await guard.check(host)).not.toEqual([]);
    for (const host of ['11.0.0.1', '8.8.4.4']) expect(await guard.check(host)).toHaveLength(1);
    for (const host of ['192.168.7.7', 'other.internal', '127.0.0.1', '[fe80::1]'])
      await expect(guard.check(host)).rejects.toThrow(AddressRefused);
  });

  test('a range that is none is a fault of the configuration', () => {
    expect(() => createAddressGuard({ allow: ['10.0.0.0/99'] })).toThrow(/range of addresses/);
  });
});

describe('isPublic', () => {
  test('knows public addresses, and takes what is no address for none', () => {
    for (const address of ['8.8.8.8', '192.0.1.1', '2606:4700::1111', '::ffff:8.8.8.8']) expect(isPublic(address), address).toBe(true);
    for (const address of ['', 'localhost', '10.0.0.1', '::ffff:10.0.0.1', '::a00:1']) expect(isPublic(address), address).toBe(false);
  });
});

describe('createGuardedAgents', () => {
  const fetchStatus = (url: string, agent: ReturnType<typeof createGuardedAgents>['httpAgent']) =>
    new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      const sending = request(url, { agent }, (response) => {
        response.resume();
        response.on('end', () => resolve([response.statusCode, String(response.headers['x-host'])]));
      });
      sending.on('error', reject);
      sending.end();
    });

  test('a library that uses them reaches checked addresses, with the host of the URL, and no others', async () => {
    const server = createServer((incoming, response) => response.setHeader('x-host', incoming.headers.host ?? '').end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    // Where the system would look, there is no such name: the checked address is the one that is used.
    const resolve = namesOf({ 's3.example': ['127.0.0.1'], 'evil.example': ['127.0.0.1'] });
    const agents = createGuardedAgents(createAddressGuard({ allow: ['s3.example'], resolve }), { keepAlive: true });
    try {
      expect(await fetchStatus(`http://s3.example:${port}/`, agents.httpAgent)).toEqual([200, `s3.example:${port}`]);
      await expect(fetchStatus(`http://evil.example:${port}/`, agents.httpAgent)).rejects.toThrow(AddressRefused);
      await expect(fetchStatus(`http://127.0.0.1:${port}/`, agents.httpAgent)).rejects.toThrow(AddressRefused);
      await expect(fetchStatus(`http://2130706433:${port}/`, agents.httpAgent)).rejects.toThrow(AddressRefused);
    } finally {
      agents.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  });
});
