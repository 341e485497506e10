import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openDiskObjects } from '../../src/store/disk/objects/disk-objects.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import type { DataKey, Objects } from '../../src/store/objects.ts';
import { sealObjects } from '../../src/store/sealed-objects.ts';
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

const dataKey: DataKey = { plain: new Uint8Array(32).fill(7), encryption: { algorithm: 'AES256', dataKey: 'd3JhcHBlZA==' } };

/** A client of an encrypting store that gives every body a key, and opens each. */
function everythingSealed(objects: Objects): Objects {
  return {
    ...objects,
    put: (bucket, key, body, options) => objects.put(bucket, key, body, { ...options, dataKey }),
    stage: (body) => objects.stage(body, dataKey),
    join: (parts) => objects.join(parts, dataKey),
    get: (bucket, key, options) => objects.get(bucket, key, { ...options, openKey: async () => dataKey.plain }),
  };
}

describeObjects('encrypted', async () => {
  const inner = createMemoryObjects({ clock, chance: createSeededChance('memory') });
  const sealed = sealObjects(inner, { contentKey: new Uint8Array(32), chance: createSeededChance('seal') });
  return { objects: everythingSealed(sealed), clock };
});
