/** How far followers see the journal while trails are being changed. */
import { expect, it } from 'vitest';
import type { Journal } from '../store/journal.ts';
import { HeldJournal } from './held-journal.ts';

it('ends before the first change under way, and goes on while later ones follow without a pause', () => {
  let end = 10n;
  const held = new HeldJournal({ head: () => end } as Journal);
  const first = held.hold();
  end = 11n;
  const second = held.hold();
  end = 12n;
  expect(held.journal.head()).toBe(10n);
  first();
  expect(held.journal.head()).toBe(11n);
  const third = held.hold();
  second();
  expect(held.journal.head()).toBe(12n);
  third();
  expect(held.journal.head()).toBe(12n);
});
