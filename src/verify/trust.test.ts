import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpointKey, rsaKey } from '../../test/support/evidence-builder.ts';
import { formatNoteKey } from '../tlog/note.ts';
import { readEvidenceKey } from './evidence-key-file.ts';
import { parsePinnedKeys } from './trust.ts';

describe('keys that are pinned', () => {
  test('are read as C2SP lines, PEM blocks, and the JSON of list-public-keys, together', () => {
    const key = rsaKey(0);
    const note = checkpointKey('snowtrail/x').noteKey;
    const pem = `-----BEGIN RSA PUBLIC KEY-----\n${Buffer.from(key.publicKey)
      .toString('base64')
      .replace(/(.{64})/g, '$1\n')}\n-----END RSA PUBLIC KEY-----\n`;
    const keys = parsePinnedKeys(`# our keys\n${formatNoteKey(note)}\n${pem}\n`);
    expect(keys.checkpoint.map(({ keyHash }) => keyHash)).toEqual([note.keyHash]);
    expect(keys.digest.map(({ fingerprint }) => fingerprint)).toEqual([key.fingerprint]);
    const json = JSON.stringify({
      PublicKeyList: [{ Value: Buffer.from(key.publicKey).toString('base64'), Fingerprint: 'of no interest' }],
    });
    expect(parsePinnedKeys(json).digest.map(({ fingerprint }) => fingerprint)).toEqual([key.fingerprint]);
    const server = JSON.stringify({ Keys: [{ Use: 'checkpoint', VerifierKey: formatNoteKey(note) }] });
    expect(parsePinnedKeys(server).checkpoint).toHaveLength(1);
  });

  test('are refused when anything of the file is not understood', () => {
    const line = formatNoteKey(checkpointKey('snowtrail/x').noteKey);
    const texts = [
      '',
      '# nothing',
      `${line}x`,
      `${line}\nand more`,
      '0123abcd',
      '{"PublicKeyList":[{}]}',
      '{"Keys":[]}',
      '{',
      line.replace('snowtrail', 'other'),
    ];
    for (const text of texts) expect(() => parsePinnedKeys(text), text).toThrow();
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parsePinnedKeys(text)).toThrow();
      }),
    );
  });

  test('key files beside the evidence say who they are by their content alone', () => {
    const { publicKey, fingerprint } = rsaKey(0);
    const file = Buffer.from(
      JSON.stringify({ version: 1, origin: 'o', use: 'digest', fingerprint: 'f', publicKey: Buffer.from(publicKey).toString('base64') }),
    );
    expect(readEvidenceKey(`digest-${fingerprint}.json`, file)).toMatchObject({ kind: 'digest' });
    expect(readEvidenceKey(`digest-${fingerprint.replace(/./, '0')}x.json`, file)).toMatchObject({ kind: 'malformed' });
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(readEvidenceKey('digest-x.json', Buffer.from(text)).kind).toBe('malformed');
      }),
    );
  });
});
