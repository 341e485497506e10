import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, STRANGER } from '../../test/support/intake-rig.ts';
import { ApiError } from '../api/api-error.ts';
import { JournalFull } from '../store/journal.ts';
import { acceptBulk, bulkOptions } from './bulk-events.ts';

const RECORD = { source: 'record', createAccounts: false } as const;

async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text);
}

interface Line {
  readonly number?: number;
  readonly status: string;
}

async function verdictsOf(rig: IntakeRig, body: AsyncIterable<Uint8Array>): Promise<Line[]> {
  let text = '';
  for await (const lines of acceptBulk(rig.stores, callOf(OWNER), body, RECORD)) text += lines;
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

describe('bulkOptions', () => {
  test('the source is `record` unless `import` is asked for', () => {
    expect(bulkOptions(new Map(), callOf(OWNER))).toEqual(RECORD);
    expect(bulkOptions(new Map([['source', 'import']]), callOf(OWNER))).toEqual({ source: 'import', createAccounts: false });
  });

  test('another source is refused by name, `own-call` too: nobody writes calls for the server', () => {
    for (const source of ['own-call', '', 'RECORD']) {
      expect(() => bulkOptions(new Map([['source', source]]), callOf(OWNER))).toThrow(`not \`${source}\``);
    }
  });

  test('lines can be asked for; any other form is told by the body', () => {
    expect(bulkOptions(new Map([['form', 'lines']]), callOf(OWNER))).toEqual({ ...RECORD, form: 'lines' });
    expect(() => bulkOptions(new Map([['form', 'document']]), callOf(OWNER))).toThrow('not `document`');
  });

  test('only administrators create accounts', () => {
    const query = new Map([['createAccounts', 'true']]);
    expect(bulkOptions(query, callOf(ADMINISTRATOR)).createAccounts).toBe(true);
    expect(() => bulkOptions(query, callOf(OWNER))).toThrow(ApiError);
    expect(() => bulkOptions(query, callOf(OWNER))).toThrow('only the first account creates accounts');
  });
});

describe('acceptBulk', () => {
  /** As many lines as one batch of the journal takes. */
  const BATCH = Array.from({ length: 500 }, (_, index) => `${recordText(`event-${index}`)}\n`).join('');

  test('a malformed line stops no other and never disappears', async () => {
    const rig = await IntakeRig.open();
    const verdicts = await verdictsOf(rig, chunksOf(`${recordText('one')}\n{"eventID":\nnonse`, `nse\n\n[]\n${recordText('two')}`));
    expect(verdicts).toMatchObject([
      { number: 1, status: 'accepted', eventID: 'one', sequence: '1' },
      { number: 2, status: 'rejected', code: 'InvalidJson' },
      { number: 3, status: 'rejected', code: 'InvalidJson' },
      { number: 5, status: 'rejected', code: 'NotAnObject' },
      { number: 6, status: 'accepted', eventID: 'two', sequence: '2' },
    ]);
  });

  test('a log file is read as well as lines, and a repeat has the sequence of the first', async () => {
    const rig = await IntakeRig.open();
    const body = () => chunksOf(`{"Records":[${recordText('one')},`, `${recordText('one', { eventName: 'Other' })}]}`);
    expect(await verdictsOf(rig, body())).toEqual([
      { number: 1, status: 'accepted', eventID: 'one', sequence: '1' },
      { number: 2, status: 'accepted', eventID: 'one', sequence: '2', conflicting: true },
    ]);
    expect(await verdictsOf(rig, body())).toEqual([
      { number: 1, status: 'repeated', eventID: 'one', sequence: '1' },
      { number: 2, status: 'repeated', eventID: 'one', sequence: '2' },
    ]);
  });

  test('each record of a long submission has one verdict, in order, and each batch of it ends with its fact', async () => {
    const rig = await IntakeRig.open();
    const texts = Array.from({ length: 1_234 }, (_, index) => `${recordText(`event-${index}`)}\n`);
    const verdicts = await verdictsOf(rig, chunksOf(texts.join('')));
    expect(verdicts.map(({ number }) => number)).toEqual(texts.map((_, index) => index + 1));
    const entries = await rig.journal.read(0n, 2_000);
    expect(entries.map(({ kind, id }) => (kind === 'event' ? id : 'fact'))).toEqual([
      ...texts.slice(0, 500).map((_, index) => `event-${index}`),
      'fact',
      ...texts.slice(500, 1_000).map((_, index) => `event-${500 + index}`),
      'fact',
      ...texts.slice(1_000).map((_, index) => `event-${1_000 + index}`),
      'fact',
    ]);
  });

  test('an empty submission has no verdicts', async () => {
    expect(await verdictsOf(await IntakeRig.open(), chunksOf('', '\n'))).toEqual([]);
  });

  test('a journal that is full from the start refuses the whole', async () => {
    const rig = await IntakeRig.open();
    rig.journal.pretend('full');
    await expect(verdictsOf(rig, chunksOf(recordText('one')))).rejects.toThrow(JournalFull);
  });

  test('a journal that fills up in the middle ends the answer with an `unavailable` line', async () => {
    const rig = await IntakeRig.open();
    async function* body(): AsyncGenerator<Uint8Array> {
      yield bytesOf(BATCH);
      rig.journal.pretend('full');
      yield bytesOf(`${recordText('late')}\n`);
    }
    const verdicts = await verdictsOf(rig, body());
    expect(verdicts).toHaveLength(501);
    expect(verdicts.slice(0, 500).every(({ status }) => status === 'accepted')).toBe(true);
    expect(verdicts.at(-1)).toEqual({ status: 'unavailable', reason: expect.stringContaining('send the rest again later') });
    expect(rig.journal.head()).toBe(501n);
  });

  test('an account that cannot be recorded in the middle ends the answer with an `unavailable` line, too (F37)', async () => {
    const rig = await IntakeRig.open();
    const create = () => Promise.reject(new ApiError('ServiceUnavailable', 'the record is not durable', { status: 503 }));
    const stores = { ...rig.stores, accounts: { ...rig.stores.accounts, create } };
    const text = `${BATCH}${recordText('of a stranger', { recipientAccountId: STRANGER })}\n`;
    const lines: string[] = [];
    const options = { source: 'record', createAccounts: true } as const;
    for await (const line of acceptBulk(stores, callOf(ADMINISTRATOR), chunksOf(text), options)) lines.push(...line.trim().split('\n'));
    expect(lines).toHaveLength(501);
    expect(JSON.parse(lines.at(-1)!)).toEqual({ status: 'unavailable', reason: expect.stringContaining('send the rest again later') });
  });

  test('a device that fails in the middle is no answer that could be taken for a whole one', async () => {
    const rig = await IntakeRig.open();
    async function* body(): AsyncGenerator<Uint8Array> {
      yield bytesOf(BATCH);
      rig.journal.pretend('failed');
      yield bytesOf(recordText('late'));
    }
    await expect(verdictsOf(rig, body())).rejects.toThrow('device failed');
  });
});
