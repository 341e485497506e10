/**
 * A disk whose power can be cut: ext4 or xfs on a loop device over an image file, with a cache between them that dies with its
 * process. What was not flushed to the image is gone, as on a drive with a volatile cache. reliability.md §3.
 *
 * Needs root, loop devices, FUSE, nbdkit, nbdfuse and mkfs.ext4; for xfs mkfs.xfs.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type FileSystem = 'ext4' | 'xfs';

const APPEAR_MS = 10_000;
/** The smallest that its mkfs makes without complaint, and some more. */
const SIZES: Readonly<Record<FileSystem, string>> = { ext4: '256M', xfs: '512M' };

export class PowerCutDisk {
  readonly #root: string;
  readonly #fuse: ChildProcess;
  readonly #mountOptions: readonly string[];
  #loop: string | undefined;
  /** Where the disk is mounted now. */
  #mounted: string | undefined;

  private constructor(root: string, fuse: ChildProcess, fileSystem: FileSystem) {
    this.#root = root;
    this.#fuse = fuse;
    // The dead mount may linger, and xfs refuses a second one of the same image.
    this.#mountOptions = fileSystem === 'xfs' ? ['-o', 'nouuid'] : [];
  }

  /** An empty disk. @throws Error when the machine does not allow it. */
  static async create(fileSystem: FileSystem = 'ext4'): Promise<PowerCutDisk> {
    const root = await mkdtemp(join(tmpdir(), 'snowtrail-disk-'));
    const image = join(root, 'disk.img');
    for (const name of ['fuse', 'before', 'after']) await mkdir(join(root, name));
    execFileSync('truncate', ['-s', SIZES[fileSystem], image]);
    execFileSync(`mkfs.${fileSystem}`, ['-q', image]);
    // nbdfuse starts nbdkit as its child; in a group of their own both can be ended at once.
    const command = ['--command', 'nbdkit', '-s', '--filter=cache', 'file', image, 'cache=writeback'];
    const fuse = spawn('nbdfuse', [`${root}/fuse/`, ...command], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    const disk = new PowerCutDisk(root, fuse, fileSystem);
    try {
      const device = join(root, 'fuse', 'nbd');
      for (const endMs = performance.now() + APPEAR_MS; !existsSync(device); await sleep(20))
        if (performance.now() > endMs || fuse.exitCode !== null) throw new Error('nbdfuse shows no device');
      disk.#loop = execFileSync('losetup', ['-f', '--show', device], { encoding: 'utf8' }).trim();
      execFileSync('mount', [...disk.#mountOptions, disk.#loop, join(root, 'before')]);
      disk.#mounted = join(root, 'before');
      return disk;
    } catch (error) {
      await disk.remove();
      throw error;
    }
  }

  /** The folder of the mounted disk. */
  get folder(): string {
    if (this.#mounted === undefined) throw new Error('the disk is not mounted');
    return this.#mounted;
  }

  /** Cuts the power: the disk's cache is gone. `kill` ends whoever uses the disk, when nothing can be flushed any more. */
  async cutPower(kill: () => Promise<void>): Promise<void> {
    await this.#endFuse();
    // A process that waits for the dead disk ends only when the disk does.
    const killed = kill();
    this.#letGo();
    await killed;
  }

  /** Mounts what is left, which lets the file system recover, at another folder. */
  powerOn(): void {
    execFileSync('mount', [...this.#mountOptions, '-o', 'loop', join(this.#root, 'disk.img'), join(this.#root, 'after')]);
    this.#mounted = join(this.#root, 'after');
  }

  /** Takes everything away. Whoever used the disk must have ended. */
  async remove(): Promise<void> {
    this.#letGo();
    await this.#endFuse();
    this.#letGo();
    await rm(this.#root, { recursive: true, force: true });
  }

  async #endFuse(): Promise<void> {
    if (this.#fuse.exitCode !== null || this.#fuse.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#fuse.once('exit', resolve));
    process.kill(-this.#fuse.pid!, 'SIGKILL');
    await ended;
  }

  #letGo(): void {
    if (this.#mounted !== undefined) quietly('umount', ['-l', this.#mounted]);
    this.#mounted = undefined;
    if (this.#loop !== undefined) quietly('losetup', ['-d', this.#loop]);
    this.#loop = undefined;
    if (this.#fuse.signalCode !== null) quietly('fusermount3', ['-u', '-z', join(this.#root, 'fuse')]);
  }
}

/** For what may be done already. */
function quietly(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    // Already unmounted, or detached by the unmount.
  }
}

/**
 * Whether this machine allows such a disk; else the reason is printed.
 * @throws Error when it does not and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export async function canCutPower(fileSystem: FileSystem = 'ext4'): Promise<boolean> {
  try {
    if (process.getuid?.() !== 0) throw new Error('it needs root');
    const disk = await PowerCutDisk.create(fileSystem);
    await disk.remove();
    return true;
  } catch (cause) {
    const reason = `no disk with ${fileSystem} whose power can be cut: ${cause instanceof Error ? cause.message : cause}; it needs nbdkit, libnbd-bin, fuse3, e2fsprogs or xfsprogs, loop devices and FUSE`;
    // A machine that has the tools and forbids loop devices or FUSE cannot be asked for more.
    const mustWork = process.env['SNOWTRAIL_REQUIRE_ALL'] === '1' && (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (mustWork) throw new Error(reason, { cause });
    console.warn(`skipped: ${reason}`);
    return false;
  }
}
