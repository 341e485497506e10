import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Client } from './client.ts';

const UNAVAILABLE = { status: 503, body: '{"__type":"ServiceUnavailable","Message":"event history is being rebuilt"}' };

let server: Server;
let client: Client;
/** What the server answers, in turn; the last again and again. */
let answers: { status: number; body: string }[];

beforeEach(async () => {
  server = createServer((_, response) => {
    const { status, body } = answers.length > 1 ? answers.shift()! : answers[0]!;
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new Client({ url, region: 'us-east-1', accessKeyId: 'AKIATEST', secretAccessKey: 'secret' });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('Client', () => {
  test('a server that is not ready yet is asked again', async () => {
    answers = [UNAVAILABLE, UNAVAILABLE, { status: 200, body: '{"Events":[]}' }];
    expect(await client.call('SearchEvents')).toEqual({ Events: [] });
  });
});
