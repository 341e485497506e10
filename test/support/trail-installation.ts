/**
 * Trails on memory stores with a real evidence tree, what the verifier asks of them, and the verifier itself.
 */
import { createHash } from 'node:crypto';
import { proveEntry } from '../../src/evidence/get-inclusion-proof.ts';
import { createTreeFollower, type TreeFollower } from '../../src/evidence/grow-tree.ts';
import { listEvidenceKeys } from '../../src/evidence/list-evidence-keys.ts';
import { createMemoryTreeHashes } from '../../src/store/memory/tree-hashes.ts';
import { hashNode, type Sha256 } from '../../src/tlog/hash.ts';
import { formatNoteKey } from '../../src/tlog/note.ts';
import type { Trails } from '../../src/trail/create-trails.ts';
import type { OpenPlace } from '../../src/verify/open-places.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import type { CallServer } from '../../src/verify/server-evidence.ts';
import type { EvidenceSource } from '../../src/verify/source.ts';
import { parsePinnedKeys } from '../../src/verify/trust.ts';
import { verify } from '../../src/verify/verify.ts';
import { FLUSH_MS, INSTALLATION, TrailRig } from './trail-rig.ts';

const sha256: Sha256 = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());

/** Trails with their evidence tree. */
export class Installation {
  readonly rig: TrailRig;
  trails!: Trails;
  tree!: TreeFollower;
  readonly #hashes = createMemoryTreeHashes({ hashChildren: (left, right) => hashNode(sha256, left, right) });

  constructor() {
    this.rig = new TrailRig({
      evidence: {
        latestCheckpoint: () => this.tree.latestCheckpoint(),
        consistency: (from, to) => this.tree.consistency(from, to),
      },
      proveEntry: (entry) => proveEntry({ tree: this.tree, sha256 }, entry),
    });
  }

  async open(): Promise<void> {
    const { catalog, journal, keys, clock } = this.rig;
    this.tree = await createTreeFollower({ catalog, journal, keys, clock, hashes: this.#hashes, origin: 'snowtrail/rig', sha256 });
    this.trails = await this.rig.open();
  }

  /** Lets time pass; the tree and the trails work in each piece of it. */
  async pass(ms: number, pieceMs = FLUSH_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += pieceMs) {
      await this.rig.clock.advance(pieceMs);
      await this.work();
    }
  }

  async work(): Promise<void> {
    await this.#grow();
    await this.rig.settle(this.trails);
    await this.#grow();
  }

  send(name: string, input: object = {}): Promise<unknown> {
    return this.rig.send(this.trails, name, { Name: 'main', ...input });
  }

  async #grow(): Promise<void> {
    for (;;) {
      const entries = await this.rig.journal.read(this.tree.cursor(), 1_000);
      if (entries.length === 0) break;
      await this.tree.take(entries);
    }
    await this.tree.checkpointNow();
  }
}

/** Verifies with nothing pinned but the installation's first checkpoint key. */
export async function verifyUnderFirstKey(
  { rig }: Installation,
  source: EvidenceSource,
  callServer?: CallServer,
  openPlace?: OpenPlace,
): Promise<VerifyReport> {
  const [first] = await rig.keys.list('checkpoint');
  const key = { name: 'snowtrail/rig', keyHash: first!.fingerprint, publicKey: first!.publicKey };
  return verify({
    source,
    pinnedKeys: parsePinnedKeys(formatNoteKey(key)),
    nowMs: rig.clock.nowMs(),
    threads: 0,
    ...(callServer !== undefined && { callServer }),
    ...(openPlace !== undefined && { openPlace }),
  });
}

/** The operations that the verifier asks for, as the server answers them. */
export async function answerOf(it: Installation, operation: string, input: object): Promise<unknown> {
  const { rig, tree } = it;
  switch (operation) {
    case 'GetTrailEvidence':
    case 'GetExpirations':
      return rig.send(it.trails, operation, input);
    case 'GetCheckpoint':
      return { Checkpoint: tree.latestCheckpoint()!.note };
    case 'ListEvidenceKeys': {
      const { keys, journal } = rig;
      const list = listEvidenceKeys({ keys, journal, account: INSTALLATION, origin: 'snowtrail/rig' });
      return (await list.decide(rig.call(), {})).output;
    }
    case 'GetConsistencyProof': {
      const { FromSize, ToSize } = input as { FromSize: string; ToSize: string };
      const hashes = await tree.consistency(BigInt(FromSize), BigInt(ToSize));
      return { Hashes: hashes.map((hash) => Buffer.from(hash).toString('base64')) };
    }
    default:
      throw new Error(`the verifier asks for ${operation}`);
  }
}
