import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openDiskObjects } from '../../src/store/disk/objects/disk-objects.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { describeObjects } from './objects.contract.ts';

const clock = createManualClock({ startMs: Date.UTC(2026, 0, 2) });

describeObjects('memory', async () => ({ objects: createMemoryObjects({ clock, chance: createSeededChance('memory') }), clock }));

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describeObjects('disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-objects-'));
  folders.push(folder);
  const open = () => openDiskObjects({ folder, clock, chance: createSeededChance('disk') });
  return { objects: await open(), reopen: open, clock };
});
