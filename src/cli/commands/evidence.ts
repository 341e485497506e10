/**
 * `snowtrail evidence`: the signed checkpoint of the record, and the keys behind it.
 */
import { Argument, type Command } from 'commander';
import { Client } from '../client.ts';
import { shortTime } from '../event-view.ts';
import { EXIT } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, printRows, say, writeOut } from '../output.ts';
import { listedKeys, openCheckpoint } from '../prove-inclusion.ts';
import { safeText } from '../safe-text.ts';
import { type Column, type Fact, formatFacts, formatTable } from '../table.ts';

interface Checkpoint {
  /** C2SP note. */
  readonly Checkpoint: string;
  readonly TreeSize: string;
  readonly RootHash: string;
}

interface EvidenceKey {
  readonly Use: 'digest' | 'checkpoint';
  readonly Fingerprint: string;
  readonly PublicKey: string;
  readonly VerifierKey?: string;
  readonly ValidFrom: string;
  readonly ValidTo: string;
  readonly IsCurrent: boolean;
}

const KEY_COLUMNS: readonly Column<EvidenceKey>[] = [
  { heading: 'use', cell: (key) => key.Use },
  { heading: 'fingerprint', cell: (key) => key.Fingerprint },
  { heading: 'current', cell: (key) => (key.IsCurrent ? 'yes' : 'no') },
  { heading: 'valid from', cell: (key) => shortTime(key.ValidFrom) },
  { heading: 'line to pin', cell: (key) => key.VerifierKey },
];

export function addEvidence(program: Command): void {
  const evidence = program.command('evidence').description('show the signed checkpoint and its keys; rotate keys');
  addExamples(evidence, ['evidence show', 'evidence show -o json | jq -r .Checkpoint.Checkpoint > note.txt', 'evidence rotate-key digest']);
  evidence
    .command('show')
    .description('show the newest checkpoint, checked here, and every key that signed or signs')
    .action(async (_: object, self: Command) => showEvidence(globalOptions(self)));
  evidence
    .command('rotate-key')
    .description('make a new key, which the old one vouches for; what the old one signed stays valid')
    .addArgument(new Argument('<use>', 'which key').choices(['digest', 'checkpoint']))
    .action(async (use: string, _: object, self: Command) => rotateKey(globalOptions(self), use));
}

async function showEvidence(options: GlobalOptions): Promise<void> {
  const form = outputForm(options);
  const client = new Client(await findServer(options));
  const [checkpoint, keys, trusted] = await Promise.all([
    client.call<Checkpoint>('GetCheckpoint'),
    client.call<{ Origin: string; Keys: readonly EvidenceKey[] }>('ListEvidenceKeys'),
    listedKeys(client),
  ]);
  const { problem, size, rootHash, signedBy } = openCheckpoint(checkpoint.Checkpoint, trusted);
  const facts: readonly Fact[] = [
    ['Log', keys.Origin],
    ['Entries', String(size)],
    ['Root hash', rootHash],
    ['Signed by', signedBy.join(', ') || undefined],
    ['Signature', problem ?? 'right, by a key that this server lists'],
  ];
  // Before it is printed: a reader may leave early.
  if (problem !== undefined) process.exitCode = EXIT.failed;
  if (form === 'table') await writeOut(`${formatFacts(facts)}\n${formatTable(KEY_COLUMNS, keys.Keys)}`);
  else await printFacts(options, facts, { Checkpoint: checkpoint, ...keys, IsSignatureRight: problem === undefined });
  if (problem === undefined) return;
  process.stderr.write(`snowtrail: ${safeText(problem)}; keep a copy of the data directory and run \`snowtrail verify\`\n`);
}

async function rotateKey(options: GlobalOptions, use: string): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const { PreviousFingerprint } = await client.call<{ PreviousFingerprint: string }>('RotateKey', { Use: use });
  const { Keys } = await client.call<{ Keys: readonly EvidenceKey[] }>('ListEvidenceKeys');
  await printRows(
    options,
    KEY_COLUMNS,
    Keys.filter((key) => key.Use === use),
  );
  say(options, `the ${use} key ${safeText(PreviousFingerprint)} signs no more, and vouches for the new one; next: snowtrail verify`);
}
