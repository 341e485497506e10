import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { describeObjects } from './objects.contract.ts';

const clock = createManualClock({ startMs: Date.UTC(2026, 0, 2) });

describeObjects('memory', async () => ({ objects: createMemoryObjects({ clock, chance: createSeededChance('memory') }) }));
