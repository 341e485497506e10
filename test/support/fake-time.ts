/**
 * A process whose clock a test sets while it runs: libfaketime, as Debian's package `libfaketime` installs it.
 *
 * The monotonic clock stays real, as it does when somebody sets a machine's clock. reliability.md §3.
 */
import { existsSync, readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Whether the library is there.
 * @throws Error when it is not and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export function hasFakeTime(): boolean {
  if (library() !== undefined) return true;
  const reason = 'libfaketime is not installed; install the Debian package `libfaketime` to set the clock of a running server';
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return false;
}

export class FakeTime {
  readonly #file: string;

  /** @param folder Where the file may lie that sets the clock. @param name Of that file. */
  static async create(folder: string, name: string): Promise<FakeTime> {
    const time = new FakeTime(join(folder, `${name}.time`));
    await time.moveTo(0);
    return time;
  }

  private constructor(file: string) {
    this.#file = file;
  }

  /** What a process needs in its environment to live by this clock. */
  environment(): Record<string, string> {
    return {
      LD_PRELOAD: library()!,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** From now on the clock is so far ahead of the real one: whole seconds; negative when it is behind. */
  async moveTo(offsetMs: number): Promise<void> {
    // Replaced, for it is read all the time.
    await writeFile(`${this.#file}.new`, `${offsetMs < 0 ? '-' : '+'}${Math.abs(offsetMs) / 1_000}\n`);
    await rename(`${this.#file}.new`, this.#file);
  }
}

function library(): string | undefined {
  const parents = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  return parents.map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).find((path) => existsSync(path));
}
