/**
 * The limits of the HTTP side, in one place with their numbers.
 *
 * Node's own defaults leave a server open to slow and greedy clients (reliability.md A64, A65, F52).
 */
export interface HttpLimits {
  /** Connections at a time; more are closed at once. */
  readonly connectionsMax: number;
  /** Requests on one connection; the last answer closes it. */
  readonly requestsPerConnectionMax: number;
  /** All header bytes with the request line. Node answers 431 above it. */
  readonly headerBytesMax: number;
  readonly headersMax: number;
  /** From the first byte of a connection's request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** How long an idle connection is kept for the next request. */
  readonly keepAliveMs: number;
  /** A body of up to 1 MiB must have come whole in this time; a longer one must have made progress in each such span. */
  readonly bodyTimeoutMs: number;
  /** Progress that counts, in bytes a span. */
  readonly bodyProgressBytes: number;
  /** A client that reads nothing for this long is disconnected. */
  readonly writeTimeoutMs: number;
  /** Body of a JSON or query call, before and after decompression. */
  readonly controlBodyBytes: number;
  /** Body of an S3 call that is a document (policy, list of keys to delete, list of parts). */
  readonly documentBytes: number;
  /** One object, or one part: 5 GiB as S3. */
  readonly objectBytes: number;
  /** Body bytes held in memory at a time, all requests together. */
  readonly bufferedBytes: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  connectionsMax: 2_000,
  requestsPerConnectionMax: 1_000,
  headerBytesMax: 16 * 1024,
  headersMax: 128,
  headersTimeoutMs: 10_000,
  keepAliveMs: 30_000,
  bodyTimeoutMs: 30_000,
  bodyProgressBytes: 64 * 1024,
  writeTimeoutMs: 30_000,
  controlBodyBytes: 1024 * 1024,
  documentBytes: 4 * 1024 * 1024,
  objectBytes: 5 * 1024 ** 3,
  bufferedBytes: 192 * 1024 * 1024,
};

/** Counts the body bytes in memory, over all requests. Beyond the limit a request is turned away, not queued (P22). */
export class ByteBudget {
  readonly #max: number;
  /** Bytes reserved now. Changed only by `reserve` and `release`. */
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  used(): number {
    return this.#used;
  }

  /** @returns false when there is no room; nothing is reserved then. */
  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.#max) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}
