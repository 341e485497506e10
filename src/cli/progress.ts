/**
 * One line of progress on a terminal's stderr, and a word where it waits; nothing else elsewhere.
 */
const REDRAW_MS = 200;

export class Progress {
  readonly #isQuiet: boolean;
  readonly #isShown: boolean;
  readonly #filesTotal: number;
  readonly #startedMs = performance.now();
  #files = 0;
  #events = 0;
  #bytes = 0;
  #drawnMs = 0;
  #hasWaited = false;

  constructor(isQuiet: boolean, filesTotal: number) {
    this.#isQuiet = isQuiet;
    this.#isShown = !isQuiet && process.stderr.isTTY === true;
    this.#filesTotal = filesTotal;
  }

  add(events: number, bytes: number): void {
    this.#events += events;
    this.#bytes += bytes;
    this.#draw();
  }

  fileDone(): void {
    this.#files += 1;
    this.#draw();
  }

  /** Says once why nothing moves. */
  wait(reason: string): void {
    if (this.#hasWaited || this.#isQuiet) return;
    this.#hasWaited = true;
    process.stderr.write(`${this.#isShown ? '\r\u001b[K' : ''}${reason}\n`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#isShown) process.stderr.write('\r\u001b[K');
  }

  #draw(): void {
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    const seconds = Math.max(0.001, (nowMs - this.#startedMs) / 1_000);
    const rate = `${Math.round(this.#events / seconds)} events/s, ${(this.#bytes / 1e6 / seconds).toFixed(1)} MB/s`;
    const left = this.#files === 0 ? '' : `, ${Math.round(((this.#filesTotal - this.#files) * seconds) / this.#files)} s left`;
    process.stderr.write(`\r\u001b[K  ${this.#files}/${this.#filesTotal} files, ${this.#events} events (${rate}${left})`);
  }
}
