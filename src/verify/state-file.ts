/**
 * What an earlier run knew: the newest checkpoint and keys of each log, and the newest receipt of each trail.
 *
 * With it, evidence that was cut back, rolled back or replaced as a whole contradicts what was seen before. The file is
 * the verifier's own memory and is trusted: keep it where those who can write to the bucket cannot.
 * It is written after a verdict of 0 only, as a whole, durably, and only ever moves forward.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Checkpoint, parseCheckpointNote } from '../tlog/checkpoint.ts';
import { formatNoteKey, type NoteKey, parseNoteKey } from '../tlog/note.ts';
import { sha256 } from './trust.ts';

/** The form that is written and read here. Raise it with every change of the form. */
const STATE_VERSION = 1;

/** What is known of one log. */
export interface LogState {
  readonly origin: string;
  /** The checkpoint's signed note. */
  readonly checkpoint: string;
  readonly keys: readonly NoteKey[];
}

export interface TrailState {
  readonly trailARN: string;
  /** Number and hash of the newest receipt. */
  readonly number: number;
  readonly sha256: string;
  /** Where it was found: the bucket, `null` for a folder, and the key up to and with the account. */
  readonly bucket: string | null;
  readonly scope: string;
}

export interface VerifyState {
  readonly logs: readonly LogState[];
  readonly trails: readonly TrailState[];
}

export const NO_STATE: VerifyState = { logs: [], trails: [] };

/** The file does not hold a state. The verdict is incomplete: what it was to be held against is not known. */
export class StateDamaged extends Error {
  override readonly name = 'StateDamaged';
}

/**
 * Reads a state; `NO_STATE` when there is no such file yet.
 * @throws StateDamaged
 */
export async function readState(path: string): Promise<VerifyState> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return NO_STATE;
    throw new StateDamaged(`the state file \`${path}\` cannot be read: ${(cause as Error).message}`, { cause });
  }
  const state = parseState(text);
  if (state === 'unknown-version')
    throw new StateDamaged(
      `the state file \`${path}\` is of another version than this Snowtrail reads: use the one that wrote it, or begin a new one`,
    );
  if (state === undefined)
    throw new StateDamaged(`the state file \`${path}\` is damaged, or not one of ours; restore it, or begin a new one`);
  return state;
}

/** Writes a state so that a power cut leaves the old or the new one. */
export async function writeState(path: string, state: VerifyState): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(formatState(state));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function formatState(state: VerifyState): string {
  const logs = state.logs.map(({ origin, checkpoint, keys }) => ({ origin, checkpoint, keys: keys.map(formatNoteKey) }));
  return `${JSON.stringify({ version: STATE_VERSION, logs, trails: state.trails }, undefined, 2)}\n`;
}

/** Reads a state's text; `undefined` when it is none. */
export function parseState(text: string): VerifyState | 'unknown-version' | undefined {
  try {
    const { version, logs, trails } = JSON.parse(text) as { version?: unknown; logs?: unknown; trails?: unknown };
    if (Number.isSafeInteger(version) && version !== STATE_VERSION) return 'unknown-version';
    if (version !== STATE_VERSION || !Array.isArray(logs) || !Array.isArray(trails)) return undefined;
    return { logs: logs.map(readLog), trails: trails.map(readTrail) };
  } catch {
    return undefined;
  }
}

/** The checkpoint of a log's state. */
export function checkpointOf(log: LogState): Checkpoint {
  const parsed = parseCheckpointNote(log.checkpoint);
  if (parsed.kind === 'malformed') throw new StateDamaged(`the state file holds a checkpoint that is none: ${parsed.reason}`);
  return parsed.value.checkpoint;
}

function readLog(value: unknown): LogState {
  const { origin, checkpoint, keys } = value as { origin: unknown; checkpoint: unknown; keys: unknown };
  if (typeof origin !== 'string' || typeof checkpoint !== 'string' || !Array.isArray(keys)) throw new StateDamaged('a log is not complete');
  const log = {
    origin,
    checkpoint,
    keys: keys.map((line: unknown) => {
      const parsed = parseNoteKey(sha256, String(line));
      if (parsed.kind === 'malformed') throw new StateDamaged(parsed.reason);
      return parsed.value;
    }),
  };
  checkpointOf(log);
  return log;
}

function readTrail(value: unknown): TrailState {
  const { trailARN, number, sha256: sha, bucket, scope } = value as Readonly<Record<string, unknown>>;
  const isText = [trailARN, sha, scope].every((text) => typeof text === 'string');
  if (!isText || !Number.isSafeInteger(number) || (bucket !== null && typeof bucket !== 'string'))
    throw new StateDamaged('a trail is not complete');
  return { trailARN, number, sha256: sha, bucket, scope } as TrailState;
}
