/**
 * The contract of objects, held by our client against services that other people wrote.
 */
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { openForeignObjects } from '../../src/store/s3/objects.ts';
import { describeObjects } from '../stores/objects.contract.ts';
import { freePort, hasCommands, startTool, untilAnswers } from '../support/start-tool.ts';

const clock = createSystemClock();
const credentials = { accessKeyId: 'snowtrail', secretAccessKey: 'snowtrail-secret' };

function open(endpoint: string) {
  const staging = createMemoryObjects({ clock, chance: createSystemChance() });
  return openForeignObjects({ endpoint, region: 'us-east-1', credentials, clock, staging });
}

if (hasCommands(['moto_server'], 'install `moto[server]` from PyPI to hold our S3 client against it')) {
  describeObjects(
    'moto',
    async () => {
      const port = await freePort();
      const moto = startTool('moto_server', ['-H', '127.0.0.1', '-p', String(port)]);
      const endpoint = `http://127.0.0.1:${port}`;
      await untilAnswers(endpoint, moto);
      return { objects: await open(endpoint), end: () => moto.stop() };
    },
    // moto 5.2.1 loses older versions when versioning is suspended, and an entry at the seam of two pages of versions.
    { isForeign: true, lacks: ['odd-keys', 'suspended', 'version-pages'] },
  );
}
