import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../api/api-error.ts';
import { decodeAwsChunked } from './aws-chunked.ts';
import { ChunkChain } from './chunk-chain.ts';
import { ByteBudget } from './limits.ts';
import { encodeSignedChunk } from './sign-request.ts';
import { SignatureRefusal } from './signature-refusal.ts';
import { deriveSigningKey } from './signing-keys.ts';

/** The example of the S3 API Reference, "Example: Signed chunked upload". */
const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' };
const KEY = deriveSigningKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', SCOPE);
const SEED = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
const newChain = () => new ChunkChain({ signingKey: KEY, amzDate: '20130524T000000Z', scope: SCOPE, seedSignature: SEED });

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(
  wire: Uint8Array,
  options: {
    chain?: ChunkChain;
    decodedLength: number;
    trailerNames?: string[];
    hasTrailer?: boolean;
    piece?: number;
    budget?: ByteBudget;
  },
): Promise<{ body: Buffer; trailers: Map<string, string> }> {
  const trailers = new Map<string, string>();
  const pieces: Uint8Array[] = [];
  const { trailerNames = [], hasTrailer = false, piece = 7, budget = new ByteBudget(1e9), ...rest } = options;
  for await (const part of decodeAwsChunked(inPieces(wire, piece), { ...rest, trailerNames, hasTrailer, budget }, trailers))
    pieces.push(part);
  return { body: Buffer.concat(pieces), trailers };
}

const signedBody = (...chunks: string[]): Buffer => {
  const chain = newChain();
  return Buffer.concat([...chunks, ''].map((chunk) => encodeSignedChunk(chain, Buffer.from(chunk))));
};

describe('decodeAwsChunked', () => {
  test('the chunks of the published example verify', async () => {
    const chain = newChain();
    const chunks = [Buffer.alloc(65_536, 'a'), Buffer.alloc(1_024, 'a'), Buffer.alloc(0)].map((chunk) => encodeSignedChunk(chain, chunk));
    const signatures = chunks.map((chunk) => /chunk-signature=([0-9a-f]+)/.exec(chunk.toString().slice(0, 100))?.[1]);
    expect(signatures).toEqual([
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
    const { body } = await decode(Buffer.concat(chunks), { chain: newChain(), decodedLength: 66_560, piece: 5_000 });
    expect(body.equals(Buffer.alloc(66_560, 'a'))).toBe(true);
  });

  test('any body in any pieces comes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 40 }),
        async (chunks, piece) => {
          const chain = newChain();
          const wire = Buffer.concat([...chunks, new Uint8Array()].map((chunk) => encodeSignedChunk(chain, chunk)));
          const whole = Buffer.concat(chunks);
          expect((await decode(wire, { chain: newChain(), decodedLength: whole.length, piece })).body.equals(whole)).toBe(true);
          const plain = Buffer.concat([
            ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
            Buffer.from('0\r\nx-a: 1\r\n\r\n'),
          ]);
          const unsigned = await decode(plain, { decodedLength: whole.length, hasTrailer: true, trailerNames: ['x-a'], piece });
          expect([unsigned.body.equals(whole), [...unsigned.trailers]]).toEqual([true, [['x-a', '1']]]);
        },
      ),
    );
  });

  test('a signed trailer verifies, and a changed one does not', async () => {
    const chain = newChain();
    const chunk = encodeSignedChunk(chain, Buffer.from('hello'));
    const last = `0;chunk-signature=${chain.signChunk('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')}\r\n`;
    const trailer = `x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:${chain.signTrailer('x-amz-checksum-crc32:NhCmhg==\n')}\r\n\r\n`;
    const options = { decodedLength: 5, hasTrailer: true, trailerNames: ['x-amz-checksum-crc32'] };
    const wire = Buffer.concat([chunk, Buffer.from(last + trailer)]);
    expect((await decode(wire, { ...options, chain: newChain() })).trailers.get('x-amz-checksum-crc32')).toBe('NhCmhg==');
    const changed = Buffer.from(wire.toString('latin1').replace('NhCmhg==', 'NhCmhh=='), 'latin1');
    await expect(decode(changed, { ...options, chain: newChain() })).rejects.toThrow(SignatureRefusal);
    const unsigned = Buffer.from(wire.toString('latin1').replace(/x-amz-trailer-signature:.*\r\n/, ''), 'latin1');
    await expect(decode(unsigned, { ...options, chain: newChain() })).rejects.toThrow(SignatureRefusal);
  });

  test('no byte of a chunk is handed on before its signature was verified', async () => {
    const wire = signedBody('first', 'second');
    wire[wire.indexOf('second')] = 'S'.charCodeAt(0);
    const seen: string[] = [];
    const body = decodeAwsChunked(
      inPieces(wire, 3),
      { chain: newChain(), hasTrailer: false, decodedLength: 11, trailerNames: [], budget: new ByteBudget(1e6) },
      new Map(),
    );
    await expect(
      (async () => {
        for await (const piece of body) seen.push(Buffer.from(piece).toString());
      })(),
    ).rejects.toThrow(SignatureRefusal);
    expect(seen.join('')).toBe('first');
  });

  test.each([
    ['chunks in another order', (wire: Buffer) => swap(wire)],
    ['a chunk left out', (wire: Buffer) => wire.subarray(wire.indexOf('\r\n5;') > 0 ? wire.indexOf('5;', 10) : 0)],
  ])('%s are refused', async (_, change) => {
    await expect(decode(change(signedBody('first', 'other')), { chain: newChain(), decodedLength: 10 })).rejects.toThrow();
  });

  test.each([
    ['it ends within a chunk', (wire: Buffer) => wire.subarray(0, 95)],
    ['it ends before the last chunk', (wire: Buffer) => wire.subarray(0, wire.length - 90)],
    ['there is more after it', (wire: Buffer) => Buffer.concat([wire, Buffer.from('x')])],
    ['a size is no hexadecimal number', (wire: Buffer) => Buffer.concat([Buffer.from('-5'), wire.subarray(1)])],
    ['a line has no end', () => Buffer.alloc(10_000, '1')],
    ['a line ends in LF alone', (wire: Buffer) => Buffer.from(wire.toString('latin1').replace('\r\n', '\n'), 'latin1')],
  ])('a body is incomplete when %s', async (_, change) => {
    const refused = decode(change(signedBody('first', 'other')), { chain: newChain(), decodedLength: 10 });
    await expect(refused).rejects.toThrow(expect.objectContaining({ code: 'IncompleteBody' }));
  });

  test('a body longer or shorter than announced is refused', async () => {
    for (const decodedLength of [4, 6])
      await expect(decode(signedBody('first'), { chain: newChain(), decodedLength })).rejects.toThrow(ApiError);
  });

  test('a trailer that was not announced, or did not come, is refused', async () => {
    const options = { decodedLength: 0, hasTrailer: true };
    await expect(decode(Buffer.from('0\r\nx-a:1\r\n\r\n'), options)).rejects.toThrow(
      expect.objectContaining({ code: 'MalformedTrailerError' }),
    );
    await expect(decode(Buffer.from('0\r\n\r\n'), { ...options, trailerNames: ['x-a'] })).rejects.toThrow(
      expect.objectContaining({ code: 'MalformedTrailerError' }),
    );
  });

  test('signed chunks wait within the memory that all bodies share', async () => {
    const budget = new ByteBudget(8);
    await expect(decode(signedBody('123456789'), { chain: newChain(), decodedLength: 9, budget })).rejects.toThrow(
      expect.objectContaining({ status: 503 }),
    );
    await decode(signedBody('12345678', '12345678'), { chain: newChain(), decodedLength: 16, budget });
    expect(budget.used()).toBe(0);
  });
});

function swap(wire: Buffer): Buffer {
  const second = wire.indexOf('5;chunk', 10);
  const third = wire.indexOf('0;chunk', second);
  return Buffer.concat([wire.subarray(second, third), wire.subarray(0, second), wire.subarray(third)]);
}
