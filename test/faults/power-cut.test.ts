/**
 * The power of the server's disk is cut under load (F05, F45): what was acknowledged survives.
 *
 * A control that writes without a sync runs on the same kind of disk and must lose data: else the disk proves nothing.
 * reliability.md F05, P1, P6. `sweep.ts` says how many cuts, and how to repeat them.
 */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { checkLedger, LEDGER_FLAGS, Ledger, prepareTrail, startLoad, untilAcknowledged } from '../support/ledger.ts';
import { canCutPower, type FileSystem, PowerCutDisk } from '../support/power-cut-disk.ts';
import { randomFrom } from '../support/simulated-files.ts';
import { startServer } from '../support/start-server.ts';
import { IS_SWEEP, sweepSteps } from '../support/sweep.ts';

/** Cuts on each file system. */
const CUTS: Readonly<Record<FileSystem, number>> = IS_SWEEP ? { ext4: 50, xfs: 50 } : { ext4: 3, xfs: 2 };

for (const [fileSystem, cuts] of Object.entries(CUTS) as [FileSystem, number][])
  describe.skipIf(!(await canCutPower(fileSystem)))(`a power cut on ${fileSystem}`, () => {
    for (const isSynced of [false, true])
      test(`of a control that ${isSynced ? 'syncs: keeps its file' : 'does not sync: loses its file'}`, async () => {
        const disk = await PowerCutDisk.create(fileSystem);
        try {
          const file = await open(join(disk.folder, 'control'), 'w');
          await file.write('acknowledged');
          if (isSynced) {
            await file.sync();
            const folder = await open(disk.folder, 'r');
            await folder.sync();
            await folder.close();
          }
          await disk.cutPower(() => file.close());
          disk.powerOn();
          expect(existsSync(join(disk.folder, 'control'))).toBe(isSynced);
        } finally {
          await disk.remove();
        }
      });

    test(`of the server under load, ${cuts} times (F05): loses nothing that was acknowledged`, { timeout: cuts * 120_000 }, async () => {
      for (const { index, seed } of sweepSteps(`power-cuts-${fileSystem}`, cuts)) {
        const disk = await PowerCutDisk.create(fileSystem);
        const ledger = new Ledger();
        let server = await startServer({ dataDir: join(disk.folder, 'data'), flags: LEDGER_FLAGS });
        try {
          await prepareTrail(server.dataDir);
          const load = await startLoad(server, ledger, seed);
          await untilAcknowledged(ledger, 50);
          const delayMs = Math.floor(randomFrom(seed)() * 1_500);
          await sleep(delayMs);
          await disk.cutPower(() => server.kill());
          await load.stop();
          disk.powerOn();
          server = await startServer({ dataDir: join(disk.folder, 'data'), flags: LEDGER_FLAGS });
          const { faults, ...counts } = await checkLedger(server, ledger);
          expect(faults, `cut ${index} after ${delayMs} ms`).toEqual([]);
          console.log(`cut ${index} on ${fileSystem}: ${JSON.stringify(counts)}`);
        } finally {
          await server.kill();
          await disk.remove();
        }
      }
    });

    test('of the server seconds after its first start: it comes back with what it acknowledged', async () => {
      const disk = await PowerCutDisk.create(fileSystem);
      const ledger = new Ledger();
      let server = await startServer({ dataDir: join(disk.folder, 'data'), flags: LEDGER_FLAGS });
      try {
        await prepareTrail(server.dataDir);
        const load = await startLoad(server, ledger, 1);
        await untilAcknowledged(ledger, 50);
        await disk.cutPower(() => server.kill());
        await load.stop();
        disk.powerOn();
        server = await startServer({ dataDir: join(disk.folder, 'data'), flags: LEDGER_FLAGS });
        expect((await checkLedger(server, ledger)).faults).toEqual([]);
      } finally {
        await server.kill();
        await disk.remove();
      }
    });
  });
