/** Which changes of trails wait for which. */
import { describe, expect, it } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { ChangeTurns } from './change-turns.ts';
import type { TrailId } from './trail.ts';

const trail = (name: string): TrailId => ({ account: '111111111111' as AccountId, homeRegion: 'eu-west-1' as Region, name });

/** Changes that end when they are told to, and what began and ended so far. */
function rig() {
  const turns = new ChangeTurns();
  const said: string[] = [];
  const ends = new Map<string, () => void>();
  const change = (name: string) => async () => {
    said.push(`${name} begins`);
    await new Promise<void>((resolve) => ends.set(name, resolve));
    said.push(`${name} ends`);
    return name;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const end = async (name: string) => {
    ends.get(name)!();
    await settle();
  };
  return { turns, said, change, settle, end };
}

describe('changes of trails', () => {
  it('run side by side when they are of different trails', async () => {
    const { turns, said, change, settle, end } = rig();
    void turns.ofTrail(trail('a'), change('one'));
    const two = turns.ofTrail(trail('b'), change('two'));
    await settle();
    await end('two');
    expect(said).toEqual(['one begins', 'two begins', 'two ends']);
    expect(await two).toBe('two');
  });

  it('run one after the other when they are of one trail, also after one that failed', async () => {
    const { turns, said, change, settle, end } = rig();
    const failed = turns.ofTrail(trail('a'), () => Promise.reject(new Error('refused')));
    void turns.ofTrail(trail('a'), change('one'));
    void turns.ofTrail(trail('a'), change('two'));
    await expect(failed).rejects.toThrow('refused');
    await settle();
    expect(said).toEqual(['one begins']);
    await end('one');
    expect(said).toEqual(['one begins', 'one ends', 'two begins']);
  });

  it('wait for one that is to be alone, which waits for those before it', async () => {
    const { turns, said, change, settle, end } = rig();
    void turns.ofTrail(trail('a'), change('before'));
    void turns.alone(change('alone'));
    void turns.ofTrail(trail('b'), change('after'));
    void turns.alone(change('last'));
    await settle();
    expect(said).toEqual(['before begins']);
    await end('before');
    expect(said.slice(2)).toEqual(['alone begins']);
    await end('alone');
    expect(said.slice(4)).toEqual(['after begins']);
    await end('after');
    expect(said.slice(6)).toEqual(['last begins']);
  });

  it('go on after one failed that was alone', async () => {
    const { turns, said, change, settle } = rig();
    await expect(turns.alone(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    void turns.ofTrail(trail('a'), change('one'));
    await settle();
    expect(said).toEqual(['one begins']);
  });
});
