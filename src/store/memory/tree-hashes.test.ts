import { describeTreeHashes, hashChildren } from '../../../test/stores/tree-hashes.contract.ts';
import { createMemoryTreeHashes } from './tree-hashes.ts';

describeTreeHashes('memory', async () => {
  const hashes = createMemoryTreeHashes({ hashChildren });
  return {
    hashes,
    cutPower: async () => {
      hashes.losePower();
      return hashes;
    },
  };
});
