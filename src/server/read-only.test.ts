/**
 * An installation whose journal is older than the catalog (F46): what runs over it changes nothing that is kept.
 */
import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText } from '../../test/support/intake-rig.ts';
import type { Region } from '../event/types.ts';
import { acceptEvents } from '../intake/accept-events.ts';
import type { CatalogChange } from '../store/catalog.ts';
import { createMemoryHistoryIndex } from '../store/memory/history-index.ts';
import { createMemoryObjects } from '../store/memory/objects.ts';
import { createMemoryOutbound } from '../store/memory/outbound.ts';
import { createMemoryTreeHashes } from '../store/memory/tree-hashes.ts';
import { hashNode } from '../tlog/hash.ts';
import { gzipInline } from '../trail/compress.ts';
import { createServer } from './create-server.ts';
import { hashSha256 } from './sha256.ts';

const record = (id: string, more: object = {}) => ({ kind: 'record' as const, bytes: bytesOf(recordText(id, more)) });

/** A server over a journal of two events and their fact, of which the catalog says that it went on, and was damaged at its beginning. */
async function openOlder() {
  const rig = await IntakeRig.open();
  await acceptEvents(rig.stores, callOf(OWNER), [record('one'), record('two')], { source: 'record', createAccounts: false });
  const range = { from: '1', to: '2', file: 'journal/1.log', reason: 'damaged', countedTo: '0', receivedToMs: rig.clock.nowMs() };
  await rig.catalog.commit(
    ['accounting', 'history'].flatMap((follower): CatalogChange[] => [
      { key: ['cursor', follower], value: { sequence: follower === 'history' ? '2' : '100' }, expected: 0 },
      { key: ['passed-over', follower, '0000000000000001'], value: range, expected: 0 },
    ]),
  );
  const index = createMemoryHistoryIndex();
  /** What was changed, in order. */
  const changes: unknown[] = [];
  const catalog: typeof rig.catalog = {
    ...rig.catalog,
    get: (key) => rig.catalog.get(key),
    list: (prefix, options) => rig.catalog.list(prefix, options),
    commit: async (committed) => {
      changes.push(...committed.map(({ key }) => key));
      await rig.catalog.commit(committed);
    },
  };
  const objects = createMemoryObjects({ clock: rig.clock, chance: rig.chance });
  const treeHashes = createMemoryTreeHashes({ hashChildren: (left, right) => hashNode(hashSha256, left, right) });
  const server = await createServer({
    stores: {
      clock: rig.clock,
      chance: rig.chance,
      journal: rig.journal,
      keys: rig.keys,
      catalog,
      objects,
      treeHashes,
      historyIndex: index,
      outbound: createMemoryOutbound({ clock: rig.clock, handlers: new Map() }),
      subscribers: createMemoryOutbound({ clock: rig.clock, handlers: new Map() }),
    },
    installationId: 'installation',
    firstAccount: ADMINISTRATOR,
    region: 'eu-central-1' as Region,
    flushIntervalMs: 5_000,
    digestIntervalMs: 60_000,
    gzip: gzipInline,
    keepKey: async () => expect.unreachable('no account is made'),
    url: () => 'http://127.0.0.1:4620',
    signatureTimeMs: () => rig.clock.nowMs(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  return { rig, server, changes };
}

describe('a server over a journal that is older than the catalog (F46)', () => {
  test('takes no submission, and saves not even that a Region was used', async () => {
    const { rig, server, changes } = await openOlder();
    const head = rig.journal.head();
    const submission = (account: typeof OWNER, more: object) =>
      server.ports.streams.get('POST /v1/events')!.handle({
        call: callOf(account),
        query: new Map([['createAccounts', String(account === ADMINISTRATOR)]]),
        headers: {},
        body: (async function* () {
          yield bytesOf(recordText('three', { awsRegion: 'ap-south-1', ...more }));
        })(),
        answer: { start: () => expect.unreachable('nothing is taken'), write: async () => undefined },
      });
    const refusal = {
      code: 'ConflictException',
      status: 409,
      message: expect.stringMatching(/no event is taken: the journal holds 3 entries/),
    };
    await expect(submission(OWNER, {})).rejects.toMatchObject(refusal);
    await expect(submission(ADMINISTRATOR, { recipientAccountId: '999999999999' })).rejects.toMatchObject(refusal);
    const call = {
      call: callOf(OWNER, { region: 'eu-west-3' as Region }),
      eventSource: 'sts.amazonaws.com',
      eventName: 'GetCallerIdentity',
    };
    const none = { requestParameters: null, responseElements: null };
    await expect(server.recordCall({ ...call, ...none, isReadOnly: true, category: 'Management' })).rejects.toThrow('the journal holds 3');
    expect([server.isReadOnly, changes, rig.journal.head()]).toEqual([true, [], head]);
  });

  test('makes nothing of what the configuration file names, and serves all the same', async () => {
    const { rig, server, changes } = await openOlder();
    const head = rig.journal.head();
    const declared = { accounts: [{ id: '999999999999' as typeof OWNER }], identities: {} as never };
    await server.applyDeclared(declared, async () => expect.unreachable('no key is made'));
    expect([server.accounts.exists(declared.accounts[0]!.id), changes, rig.journal.head()]).toEqual([false, [], head]);
  });

  test('finds what the journal holds, and keeps nothing of what it counted for that', async () => {
    const { rig, server, changes } = await openOlder();
    const stop = new AbortController();
    const running = Promise.all([server.runFollowers(stop.signal), server.runScrub(stop.signal), server.runTrails(stop.signal)]);
    await rig.clock.advance(120_000);
    const search = server.ports.services.get('snowtrail')!.operations.get('SearchEvents')!;
    const { output } = await search.decide(callOf(ADMINISTRATOR), {});
    stop.abort();
    await rig.clock.advance(60_000);
    await running;
    expect(output).toMatchObject({ Events: [{ EventId: 'two' }, { EventId: 'one' }] });
    expect(changes).toEqual([]);
  });
});
