import { describeJournal } from '../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../test/support/manual-clock.ts';
import { createMemoryJournal } from './journal.ts';

describeJournal('memory', async () => {
  const journal = createMemoryJournal({ clock: new ManualClock(0), chance: seededChance('journal') });
  return { journal, pretend: (state) => journal.pretend(state), keepsFresh: true };
});
