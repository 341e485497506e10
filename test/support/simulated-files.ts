/**
 * Files in memory that lose at a power cut what was not synced, and that fail when they are told to.
 *
 * The model is harsher than any one file system: content that was not synced is lost, kept or torn page by page; a name
 * that was created, renamed or removed counts only after its folder was synced, and without it the changes of a folder
 * survive up to some point in their order. What happens is decided by the seed alone.
 *
 * A *call* is one call of the interface that can change or read something; they are numbered from 1.
 */
import { constants } from 'node:os';
import { basename, dirname } from 'node:path';
import type { Files, OpenFile } from '../../src/store/disk/files.ts';

export type FaultKind =
  /** The call fails with this code, and has done nothing. */
  | 'EIO'
  | 'ENOSPC'
  | 'EDQUOT'
  | 'EMFILE'
  /** A write takes half of its bytes and says so. */
  | 'short-write'
  /** A write takes half of its bytes and then fails with ENOSPC. */
  | 'half-then-ENOSPC'
  /** The process ends before the call: what was written is still with the system. */
  | 'kill'
  /** The machine ends before the call: only what was synced is sure. */
  | 'power-cut';

export type CallName = 'open' | 'read' | 'write' | 'truncate' | 'datasync' | 'size' | 'list' | 'rename' | 'remove' | 'syncFolder' | 'space';

export interface SimulatedCall {
  /** From 1. */
  readonly number: number;
  readonly name: CallName;
  readonly path: string;
  /** Of a read: where it begins, and how much is wanted. */
  readonly position?: number;
  readonly bytes?: number;
}

/** The process, or the machine, is gone: every further call of this run ends like this. */
class RunEnded extends Error {
  override readonly name = 'RunEnded';
}

export interface SimulatedFilesOptions {
  readonly seed: number;
  /** Asked before each call. */
  readonly fault?: (call: SimulatedCall) => FaultKind | undefined;
  /** At a restart the system believes that everything it shows is on the disk, as after a failed sync (P7). */
  readonly forgetsFailedWrites?: boolean;
  /** Size of the disk; 1 GiB by default. Writes beyond it fail with ENOSPC. */
  readonly totalBytes?: number;
}

const PAGE_BYTES = 4_096;

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number };

/** One file, whatever its names. */
interface Inode {
  /** What a process sees. */
  content: Buffer;
  /** What a power cut leaves, at least. */
  synced: Buffer;
  /** Since the last sync. */
  changes: Change[];
}

type NameChange = { readonly name: string; readonly inode: Inode | undefined };

interface Folder {
  readonly names: Map<string, Inode>;
  readonly syncedNames: Map<string, Inode>;
  changes: NameChange[];
}

/** What outlives a run. */
interface Disk {
  readonly folders: Map<string, Folder>;
}

export class SimulatedFiles implements Files {
  readonly #disk: Disk;
  readonly #options: SimulatedFilesOptions;
  readonly #random: () => number;
  #calls = 0;
  #ending: 'kill' | 'power-cut' | undefined;
  #freeLimit: number | undefined;

  constructor(options: SimulatedFilesOptions, disk: Disk = { folders: new Map() }) {
    this.#options = options;
    this.#disk = disk;
    this.#random = randomFrom(options.seed);
    if (options.forgetsFailedWrites) forgetChanges(disk);
  }

  /** Number of calls so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether the run was ended by a fault. */
  get hasEnded(): boolean {
    return this.#ending !== undefined;
  }

  /** From now on the disk has so many free bytes; `undefined`: what its size leaves. */
  setFreeBytes(bytes: number | undefined): void {
    this.#freeLimit = bytes;
  }

  /** Ends the run now. */
  end(how: 'kill' | 'power-cut'): void {
    this.#ending ??= how;
  }

  /** The machine, or the process, is up again: files as they are found then. */
  restart(options: Partial<SimulatedFilesOptions> = {}): SimulatedFiles {
    const how = this.#ending ?? 'kill';
    this.#ending = how;
    const { fault: _, ...rest } = this.#options;
    return new SimulatedFiles({ ...rest, seed: rest.seed + 1, ...options }, how === 'kill' ? this.#disk : this.#afterPowerCut());
  }

  /** Changes the bytes of a file behind everybody's back, synced and unsynced alike. */
  tamper(path: string, change: (bytes: Buffer) => Buffer): void {
    const inode = this.#find(path);
    inode.content = change(Buffer.from(inode.content));
    inode.synced = Buffer.from(inode.content);
    inode.changes = [];
  }

  /** Takes copies of all files of another disk, synced. */
  adopt(other: SimulatedFiles): void {
    for (const [path, { names }] of other.#disk.folders) {
      const copies = [...names].map(([name, { content }]): [string, Inode] => [
        name,
        { content: Buffer.from(content), synced: Buffer.from(content), changes: [] },
      ]);
      this.#disk.folders.set(path, { names: new Map(copies), syncedNames: new Map(copies), changes: [] });
    }
  }

  /** Bytes of a file as a process sees them. */
  bytesOf(path: string): Buffer {
    return Buffer.from(this.#find(path).content);
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#disk.folders].flatMap(([folder, { names }]) => [...names.keys()].map((name) => `${folder}/${name}`)).sort();
  }

  async makeFolder(path: string): Promise<void> {
    if (!this.#disk.folders.has(path)) this.#disk.folders.set(path, { names: new Map(), syncedNames: new Map(), changes: [] });
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#call('list', folder);
    return [...this.#folder(folder).names.keys()].sort();
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> {
    await this.#call('open', path);
    const folder = this.#folder(dirname(path));
    const name = basename(path);
    let inode = folder.names.get(name);
    if (inode === undefined) {
      if (mode !== 'create') throw systemError('ENOENT', 'open', path);
      inode = { content: Buffer.alloc(0), synced: Buffer.alloc(0), changes: [] };
      rename(folder, { name, inode });
    } else if (mode === 'create') {
      truncate(inode, 0);
    }
    return this.#handle(path, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call('rename', from);
    const folder = this.#folder(dirname(from));
    const inode = folder.names.get(basename(from));
    if (inode === undefined) throw systemError('ENOENT', 'rename', from);
    rename(folder, { name: basename(to), inode });
    rename(folder, { name: basename(from), inode: undefined });
  }

  async remove(path: string): Promise<void> {
    await this.#call('remove', path);
    const folder = this.#folder(dirname(path));
    if (folder.names.has(basename(path))) rename(folder, { name: basename(path), inode: undefined });
  }

  async syncFolder(path: string): Promise<void> {
    await this.#call('syncFolder', path);
    const folder = this.#folder(path);
    for (const change of folder.changes) apply(folder.syncedNames, change);
    folder.changes = [];
  }

  async space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    await this.#call('space', path);
    return { freeBytes: this.#freeBytes(), totalBytes: this.#totalBytes() };
  }

  #handle(path: string, inode: Inode): OpenFile {
    let isClosed = false;
    const call = async (name: CallName, place?: { readonly position: number; readonly bytes: number }): Promise<FaultKind | undefined> => {
      if (isClosed) throw systemError('EBADF', name, path);
      return await this.#call(name, path, place);
    };
    return {
      read: async (into, position) => {
        await call('read', { position, bytes: into.length });
        return inode.content.copy(into, 0, position, position + into.length);
      },
      write: async (parts, position) => {
        const fault = await call('write');
        let bytes = Buffer.concat(parts);
        if (fault === 'short-write' || fault === 'half-then-ENOSPC') bytes = bytes.subarray(0, Math.ceil(bytes.length / 2));
        const grows = Math.max(0, position + bytes.length - inode.content.length);
        const free = this.#freeBytes();
        const isTooMuch = grows > free;
        if (isTooMuch) bytes = bytes.subarray(0, Math.max(0, bytes.length - (grows - free)));
        if (bytes.length > 0) write(inode, position, bytes);
        if (fault === 'half-then-ENOSPC' || (isTooMuch && bytes.length === 0)) throw systemError('ENOSPC', 'write', path);
        return bytes.length;
      },
      truncate: async (size) => {
        await call('truncate');
        truncate(inode, size);
      },
      datasync: async () => {
        await call('datasync');
        // The changes, not all that is visible: pages that the system believes to be clean are not written.
        for (const change of inode.changes) inode.synced = applied(inode.synced, change);
        inode.changes = [];
      },
      sizeBytes: async () => {
        await call('size');
        return inode.content.length;
      },
      close: async () => {
        isClosed = true;
      },
    };
  }

  /** Counts a call, and lets others have their turn, as a real one would. */
  async #call(name: CallName, path: string, place?: Pick<SimulatedCall, 'position' | 'bytes'>): Promise<FaultKind | undefined> {
    if (this.#ending !== undefined) throw new RunEnded('the run has ended');
    this.#calls += 1;
    const fault = this.#options.fault?.({ number: this.#calls, name, path, ...place });
    if (fault === 'kill' || fault === 'power-cut') {
      this.#ending = fault;
      throw new RunEnded(`${fault} before call ${this.#calls}: ${name} ${path}`);
    }
    await Promise.resolve();
    if (fault === 'EIO' || fault === 'ENOSPC' || fault === 'EDQUOT' || fault === 'EMFILE') throw systemError(fault, name, path);
    return fault;
  }

  #afterPowerCut(): Disk {
    const folders = new Map<string, Folder>();
    for (const [path, folder] of this.#disk.folders) {
      const names = new Map(folder.syncedNames);
      const survivors = Math.floor(this.#random() * (folder.changes.length + 1));
      for (const change of folder.changes.slice(0, survivors)) apply(names, change);
      const kept = new Map([...names].map(([name, inode]) => [name, this.#tear(inode)]));
      folders.set(path, { names: kept, syncedNames: new Map(kept), changes: [] });
    }
    return { folders };
  }

  /** What is left of a file: each page that was not synced is old, new, or, where it is new, cut somewhere. */
  #tear(inode: Inode): Inode {
    let content = Buffer.from(inode.synced);
    const fate = this.#random();
    for (const change of inode.changes) {
      if (fate < 0.25) break;
      if (change.kind === 'truncate') {
        if (fate > 0.75 || this.#random() < 0.5) content = resized(content, change.size);
        continue;
      }
      for (let from = 0; from < change.bytes.length; ) {
        const position = change.position + from;
        const to = Math.min(change.bytes.length, from + PAGE_BYTES - (position % PAGE_BYTES));
        const page = change.bytes.subarray(from, to);
        if (fate > 0.75 || this.#random() < 0.6) {
          const kept = fate > 0.75 || this.#random() < 0.8 ? page : page.subarray(0, Math.floor(this.#random() * page.length));
          content = patched(content, position, kept);
        }
        from = to;
      }
    }
    return { content, synced: Buffer.from(content), changes: [] };
  }

  #folder(path: string): Folder {
    const folder = this.#disk.folders.get(path);
    if (folder === undefined) throw systemError('ENOENT', 'folder', path);
    return folder;
  }

  #find(path: string): Inode {
    const inode = this.#folder(dirname(path)).names.get(basename(path));
    if (inode === undefined) throw systemError('ENOENT', 'open', path);
    return inode;
  }

  #totalBytes(): number {
    return this.#options.totalBytes ?? 1_073_741_824;
  }

  #freeBytes(): number {
    if (this.#freeLimit !== undefined) return this.#freeLimit;
    let used = 0;
    for (const { names } of this.#disk.folders.values()) for (const { content } of names.values()) used += content.length;
    return Math.max(0, this.#totalBytes() - used);
  }
}

/** What was not synced stays visible, and no sync will write it any more. */
function forgetChanges(disk: Disk): void {
  for (const { names } of disk.folders.values()) for (const inode of names.values()) inode.changes = [];
}

function write(inode: Inode, position: number, bytes: Uint8Array): void {
  inode.content = patched(inode.content, position, bytes);
  inode.changes.push({ kind: 'write', position, bytes: Uint8Array.from(bytes) });
}

function truncate(inode: Inode, size: number): void {
  inode.content = resized(inode.content, size);
  inode.changes.push({ kind: 'truncate', size });
}

function applied(content: Buffer, change: Change): Buffer {
  return change.kind === 'truncate' ? resized(content, change.size) : patched(content, change.position, change.bytes);
}

function patched(content: Buffer, position: number, bytes: Uint8Array): Buffer<ArrayBuffer> {
  const result = resized(content, Math.max(content.length, position + bytes.length));
  result.set(bytes, position);
  return result;
}

function resized(content: Buffer, size: number): Buffer<ArrayBuffer> {
  const result = Buffer.alloc(size);
  content.copy(result, 0, 0, size);
  return result;
}

function rename(folder: Folder, change: NameChange): void {
  apply(folder.names, change);
  folder.changes.push(change);
}

function apply(names: Map<string, Inode>, { name, inode }: NameChange): void {
  if (inode === undefined) names.delete(name);
  else names.set(name, inode);
}

function systemError(name: string, call: string, path: string): Error {
  // Node knows no name for EDQUOT.
  const code = name === 'EDQUOT' ? `Unknown system error -${constants.errno.EDQUOT}` : name;
  const errno = -constants.errno[name as keyof typeof constants.errno];
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, errno });
}

/** 0 ≤ x < 1, the same numbers for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x2545f491) | 1;
  return () => {
    // Xorshift: enough for tests, and the same everywhere.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
