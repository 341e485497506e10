import assert from 'node:assert';
import { describe, expect, test } from 'vitest';
import { bytesOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import type { Region } from '../event/types.ts';
import type { Follower } from '../store/follower.ts';
import { type Journal, type JournalDamage, JournalDamaged, type JournalEntry } from '../store/journal.ts';
import { type FollowerState, runFollower } from './run-follower.ts';

/** Remembers what it took; `fail` decides whether the next batch is refused. */
class Notebook implements Follower {
  readonly name = 'notebook';
  readonly taken: bigint[] = [];
  fail: () => void = () => undefined;
  onTake: () => void = () => undefined;

  cursor(): bigint {
    return this.taken.at(-1) ?? 0n;
  }

  async take(entries: readonly JournalEntry[]): Promise<bigint> {
    this.fail();
    this.taken.push(...entries.map(({ sequence }) => sequence));
    this.onTake();
    return this.cursor();
  }
}

async function submit(rig: IntakeRig, ...ids: string[]): Promise<void> {
  const common = { kind: 'event', source: 'record', account: OWNER, region: 'eu-central-1' as Region, receivedAtMs: START_MS } as const;
  await rig.journal.append(ids.map((eventId) => ({ ...common, eventId, bytes: bytesOf(recordText(eventId)) })));
}

/** Starts a follower; `states` fills with what it reports. */
function start(rig: IntakeRig, follower: Follower, journal: Journal = rig.journal) {
  const stopping = new AbortController();
  const states: FollowerState[] = [];
  const passed: string[] = [];
  const reportPassedOver = (name: string, { from, to }: JournalDamage) => void passed.push(`${name} ${from} to ${to}`);
  const told: (() => void)[] = [];
  const report = (state: FollowerState) => {
    states.push(state);
    for (const wake of told.splice(0)) wake();
  };
  const nextReport = () => new Promise<void>((resolve) => told.push(resolve));
  const ended = runFollower({ follower, journal, clock: rig.clock, chance: rig.chance, report, reportPassedOver }, stopping.signal);
  return { states, passed, ended, nextReport, stop: () => stopping.abort() };
}

describe('runFollower', () => {
  test('a follower gets all entries in order, those that come later too, until it is stopped', async () => {
    const rig = await IntakeRig.open();
    const notebook = new Notebook();
    await submit(rig, 'one', 'two');
    const first = new Promise<void>((resolve) => (notebook.onTake = resolve));
    const { states, ended, stop } = start(rig, notebook);
    await first;
    const second = new Promise<void>((resolve) => (notebook.onTake = resolve));
    await submit(rig, 'three');
    await second;
    stop();
    await ended;
    expect([notebook.taken, states]).toEqual([[1n, 2n, 3n], []]);
  });

  test('after an outage the same entries come again, later each time, and nothing is skipped', async () => {
    const rig = await IntakeRig.open();
    const notebook = new Notebook();
    let outages = 3;
    notebook.fail = () => {
      if (outages-- > 0) throw new Error('the bucket is away');
    };
    await submit(rig, 'one');
    const done = new Promise<void>((resolve) => (notebook.onTake = resolve));
    const { states, ended, stop } = start(rig, notebook);
    await rig.clock.someoneSleeps();
    await rig.clock.advance(99);
    expect(states).toHaveLength(1);
    await rig.clock.advance(30_000);
    await done;
    stop();
    await ended;
    const retrying = { name: 'notebook', state: 'retrying', problem: 'the bucket is away', retryingMs: expect.any(Number) };
    const [first, second, third] = states.map(({ retryingMs }) => retryingMs!);
    expect([first, second! >= 50, third! >= second! + 100]).toEqual([0, true, true]);
    expect([notebook.taken, states]).toEqual([[1n], [retrying, retrying, retrying, { name: 'notebook', state: 'running' }]]);
  });

  test('a journal that answers again is reported at once, although nothing new comes', async () => {
    const rig = await IntakeRig.open();
    let isAway = true;
    const read: Journal['read'] = (after, limit) => (isAway ? Promise.reject(new Error('away')) : rig.journal.read(after, limit));
    const { states, ended, nextReport, stop } = start(rig, new Notebook(), { ...rig.journal, read });
    await rig.clock.someoneSleeps();
    isAway = false;
    const recovered = nextReport();
    await rig.clock.advance(200);
    await recovered;
    expect(states.map(({ state }) => state)).toEqual(['retrying', 'running']);
    stop();
    await ended;
  });

  test('a bug stops the follower for good, and it says why', async () => {
    const rig = await IntakeRig.open();
    const notebook = new Notebook();
    notebook.fail = () => assert.fail('a follower reads without gaps');
    await submit(rig, 'one');
    const { states, ended } = start(rig, notebook);
    await ended;
    expect(states).toEqual([{ name: 'notebook', state: 'stopped', problem: 'a follower reads without gaps' }]);
    expect(notebook.taken).toEqual([]);
  });

  test('an entry that cannot be read stops a follower that must be complete: going on would skip it', async () => {
    const rig = await IntakeRig.open();
    const read = () => Promise.reject(new JournalDamaged({ from: 1n, to: 2n, file: 'journal/1.log', reason: 'wrong CRC' }));
    const { states, ended } = start(rig, new Notebook(), { ...rig.journal, read });
    await ended;
    expect(states).toMatchObject([{ state: 'stopped', problem: expect.stringContaining('entries 1 to 2') }]);
  });

  test('a follower that may passes over it, which is told, and gets what comes after it', async () => {
    const rig = await IntakeRig.open();
    const notebook: Notebook & Pick<Follower, 'passOver'> = new Notebook();
    notebook.passOver = async ({ to }) => void notebook.taken.push(to);
    await submit(rig, 'one', 'two', 'three', 'four');
    rig.journal.pretendDamage({ from: 2n, to: 3n, file: 'journal/1.log', reason: 'wrong CRC' });
    const finished = new Promise<void>((resolve) => {
      notebook.onTake = () => notebook.cursor() === 4n && resolve();
    });
    const { states, passed, ended, stop } = start(rig, notebook);
    await finished;
    stop();
    await ended;
    expect([notebook.taken, passed, states]).toEqual([[1n, 3n, 4n], ['notebook 2 to 3'], []]);
  });

  test('what comes while a follower rests is taken at one go', async () => {
    const rig = await IntakeRig.open();
    const notebook = new Notebook();
    const takes: number[] = [];
    notebook.onTake = () => takes.push(notebook.taken.length);
    await submit(rig, 'one');
    const stopping = new AbortController();
    const { journal, clock, chance } = rig;
    const ended = runFollower(
      { follower: notebook, journal, clock, chance, gatherMs: 100, report: () => undefined, reportPassedOver: () => undefined },
      stopping.signal,
    );
    await clock.someoneSleeps();
    await submit(rig, 'two');
    await submit(rig, 'three');
    await clock.advance(99);
    expect(takes).toEqual([1]);
    await clock.advance(1);
    await clock.someoneSleeps();
    expect(takes).toEqual([1, 3]);
    stopping.abort();
    await ended;
  });

  test('a follower that waits for its next try ends when it is stopped', async () => {
    const rig = await IntakeRig.open();
    const notebook = new Notebook();
    notebook.fail = () => {
      throw new Error('away');
    };
    await submit(rig, 'one');
    const { ended, stop } = start(rig, notebook);
    await rig.clock.someoneSleeps();
    stop();
    await ended;
    expect(rig.clock.sleepers()).toBe(0);
  });
});
