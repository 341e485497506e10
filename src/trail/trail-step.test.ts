import { describe, expect, test } from 'vitest';
import type { TrailChange, TrailState, TrailTarget } from './trail-state.ts';
import { targetOf } from './trail-step.ts';

const target = (bucket: string) => ({ bucket, prefix: null }) as TrailTarget;
const change = (kind: TrailChange['kind'], bucket: string) => ({ kind, settings: { target: target(bucket) } }) as TrailChange;
const state = { settings: { target: target('old') } } as TrailState;

describe('where new objects go', () => {
  test('where the trail says, and where its newest update says before delivery has come to it', () => {
    expect(targetOf(state, [])).toEqual(target('old'));
    expect(targetOf(state, [change('start', 'x'), change('update', 'new'), change('update', 'newer')])).toEqual(target('newer'));
  });

  test('not where an update says of a trail that was made anew after this one was deleted', () => {
    const changes = [change('update', 'new'), change('delete', 'new'), change('create', 'other'), change('update', 'another')];
    expect(targetOf(state, changes)).toEqual(target('new'));
  });
});
