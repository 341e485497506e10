/**
 * The only two platform names that the engines may use beside ECMAScript itself.
 * `tsconfig.pure.json` compiles the engines with these declarations and without Node's or the DOM's types.
 */
declare class TextEncoder {
  encode(text?: string): Uint8Array;
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}
