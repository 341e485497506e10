/**
 * The one guarded client for every call that leaves the process.
 *
 * Promises, for every implementation (`test/stores/outbound.contract.ts`): http and https only, no redirects, no
 * credentials in the URL; the resolved address is checked against the private and link-local ranges and the
 * connection goes to that very address (A80, A81); every call has a time limit; the answer's body is capped.
 */
export interface OutboundRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'HEAD' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** 1 to 600,000. The whole call, from resolving the name to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Most bytes of the answer's body. */
  readonly responseBytesMax: number;
}

export interface OutboundResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface Outbound {
  /**
   * @throws OutboundRefused when the address or scheme is not allowed: nothing was sent.
   * @throws OutboundFailed when no whole answer came: the other side may or may not have acted (F19).
   */
  send(request: OutboundRequest): Promise<OutboundResponse>;
  close(): Promise<void>;
}

export class OutboundRefused extends Error {
  override readonly name = 'OutboundRefused';
}

export class OutboundFailed extends Error {
  override readonly name = 'OutboundFailed';
  /** `timeout`, or the system's code such as `ECONNREFUSED`. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
