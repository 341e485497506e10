import { createPrivateKey, createPublicKey, createSign, createVerify, hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { base64, KMS_ACCOUNT, KMS_REGION, KMS_STRANGER, KmsRig } from '../../test/support/kms-rig.ts';
import type { AccessRequest } from '../api/access.ts';
import type { Call } from '../api/operation.ts';
import type { Region } from '../event/types.ts';
import { createKey } from './create-key.ts';
import { putKeyPolicy } from './key-policy.ts';

const ARN = (id: string) => `arn:aws:kms:${KMS_REGION}:${KMS_ACCOUNT}:key/${id}`;
const DAY_MS = 24 * 3600 * 1000;
const NO_KEY = '11111111-2222-4333-8444-555555555555';

describe('CreateKey and DescribeKey', () => {
  test('a key is symmetric, encrypts and is enabled unless asked otherwise', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey({ Description: 'logs' });
    expect((await rig.send('DescribeKey', { KeyId: id })).KeyMetadata).toEqual({
      AWSAccountId: KMS_ACCOUNT,
      KeyId: id,
      Arn: ARN(id),
      CreationDate: rig.clock.nowMs() / 1000,
      Enabled: true,
      Description: 'logs',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test('a key is found by id, ARN, alias and alias ARN, in its own Region only', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    await rig.send('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: id });
    const aliasArn = `arn:aws:kms:${KMS_REGION}:${KMS_ACCOUNT}:alias/logs`;
    for (const KeyId of [id, ARN(id), 'alias/logs', aliasArn])
      expect((await rig.send('DescribeKey', { KeyId })).KeyMetadata.KeyId).toBe(id);
    const west = rig.call(KMS_ACCOUNT, 'us-west-2' as Region);
    expect(await rig.refusal('DescribeKey', { KeyId: id }, west)).toBe(
      `NotFoundException: Key 'arn:aws:kms:us-west-2:${KMS_ACCOUNT}:key/${id}' does not exist`,
    );
    expect(await rig.refusal('DescribeKey', { KeyId: ARN(id) }, west)).toBe(`NotFoundException: Invalid arn ${KMS_REGION}`);
  });

  test.each([
    [{ KeyId: NO_KEY }, `NotFoundException: Key '${ARN(NO_KEY)}' does not exist`],
    [{ KeyId: 'alias/none' }, `NotFoundException: Alias arn:aws:kms:${KMS_REGION}:${KMS_ACCOUNT}:alias/none is not found.`],
    [{ KeyId: 'what is this' }, "NotFoundException: Invalid keyId 'what is this'"],
    [{ KeyId: 'arn:aws:s3:::bucket' }, 'InvalidArnException: Invalid ARN: arn:aws:s3:::bucket'],
    [{}, "ValidationException: 1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"],
    [{ KeyId: 7 }, 'SerializationException: `KeyId` is not a text'],
    [
      { KeyId: '' },
      "ValidationException: 1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
  ])('a name that leads nowhere is refused with its own error: %j', async (input, expected) => {
    expect(await new KmsRig().refusal('DescribeKey', input)).toBe(expected);
  });

  test('what is not built is refused, and never made as something else', async () => {
    const rig = new KmsRig();
    for (const input of [{ Origin: 'EXTERNAL' }, { MultiRegion: true }, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }])
      expect(await rig.refusal('CreateKey', input)).toMatch(/^UnsupportedOperationException: /);
    expect(await rig.refusal('CreateKey', { KeySpec: 'RSA_2048' })).toMatch(/^ValidationException: You must specify a KeyUsage/);
    expect(await rig.refusal('CreateCustomKeyStore', { CustomKeyStoreName: 'a' })).toMatch(/^UnsupportedOperationException: /);
    expect((await rig.send('ListKeys')).Keys).toEqual([]);
  });

  test('another account learns nothing of a key: one that is there and one that is not are refused alike', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const stranger = rig.call(KMS_STRANGER);
    for (const KeyId of [ARN(id), ARN(NO_KEY)])
      expect(await rig.refusal('DescribeKey', { KeyId }, stranger)).toBe(
        `AccessDeniedException: User: arn:aws:iam::${KMS_STRANGER}:root is not authorized to perform: kms:DescribeKey on resource: ${KeyId} because no resource-based policy allows the kms:DescribeKey action`,
      );
  });

  test('a description is changed, but not of a key that is to be deleted, nor by an alias', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ Description: 'first' });
    await rig.send('UpdateKeyDescription', { KeyId, Description: 'second' });
    expect((await rig.send('DescribeKey', { KeyId })).KeyMetadata.Description).toBe('second');
    await rig.send('CreateAlias', { AliasName: 'alias/trail', TargetKeyId: KeyId });
    expect(await rig.refusal('UpdateKeyDescription', { KeyId: 'alias/trail', Description: 'x' })).toMatch(/^NotFoundException/);
    await rig.send('ScheduleKeyDeletion', { KeyId });
    expect(await rig.refusal('UpdateKeyDescription', { KeyId, Description: 'x' })).toMatch(/^KMSInvalidStateException/);
  });

  test('listings go page by page, and a marker that is none of ours is refused', async () => {
    const rig = new KmsRig();
    const ids = await Promise.all([rig.newKey(), rig.newKey(), rig.newKey()]);
    const first = await rig.send('ListKeys', { Limit: 2 });
    const second = await rig.send('ListKeys', { Limit: 2, Marker: first.NextMarker });
    expect([first.Truncated, second.Truncated]).toEqual([true, false]);
    expect([...first.Keys, ...second.Keys].map(({ KeyId }) => KeyId)).toEqual([...ids].sort());
    expect(await rig.refusal('ListKeys', { Marker: 'abc' })).toBe('InvalidMarkerException: Invalid marker');
  });
});

describe('Encrypt and Decrypt', () => {
  test('what was encrypted is decrypted with the same encryption context, in any order of its names', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const sealed = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret'), EncryptionContext: { Project: 'a', Team: 'b' } });
    expect(sealed).toMatchObject({ KeyId: ARN(id), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const { CiphertextBlob } = sealed;
    expect(await rig.send('Decrypt', { CiphertextBlob, EncryptionContext: { Team: 'b', Project: 'a' } })).toEqual({
      KeyId: ARN(id),
      Plaintext: base64('secret'),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: await rig.materialOf(id),
    });
    for (const EncryptionContext of [{}, { Project: 'a' }, { Project: 'b', Team: 'a' }, { Projecta: '', Team: 'b' }])
      expect(await rig.refusal('Decrypt', { CiphertextBlob, EncryptionContext })).toMatch(/^InvalidCiphertextException/);
  });

  test('a blob with one changed bit, cut short, or made by nobody is refused', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const blob = Buffer.from((await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret') })).CiphertextBlob, 'base64');
    for (const at of [30, 50, 60, blob.length - 1]) {
      const changed = Buffer.from(blob);
      changed[at]! ^= 1;
      expect(await rig.refusal('Decrypt', { CiphertextBlob: changed.toString('base64') })).toMatch(/^InvalidCiphertextException/);
    }
    for (const bytes of [blob.subarray(0, 70), Buffer.from('x')])
      expect(await rig.refusal('Decrypt', { CiphertextBlob: bytes.toString('base64') })).toMatch(/^InvalidCiphertextException/);
  });

  test('a key that is named must be the one of the blob', async () => {
    const rig = new KmsRig();
    const [id, other] = [await rig.newKey(), await rig.newKey()];
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret') });
    expect(await rig.refusal('Decrypt', { CiphertextBlob, KeyId: other })).toMatch(/^IncorrectKeyException/);
    expect((await rig.send('Decrypt', { CiphertextBlob, KeyId: ARN(id) })).Plaintext).toBe(base64('secret'));
  });

  test('ReEncrypt moves a blob to another key and context', async () => {
    const rig = new KmsRig();
    const [from, to] = [await rig.newKey(), await rig.newKey()];
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: from, Plaintext: base64('secret') });
    const moved = await rig.send('ReEncrypt', { CiphertextBlob, DestinationKeyId: to, DestinationEncryptionContext: { Level: '3A' } });
    expect(moved).toMatchObject({ SourceKeyId: ARN(from), KeyId: ARN(to) });
    const opened = await rig.send('Decrypt', { CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { Level: '3A' } });
    expect(opened).toMatchObject({ KeyId: ARN(to), Plaintext: base64('secret') });
  });

  test('a data key comes in the clear and sealed, of the length that is asked for', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const made = await rig.send('GenerateDataKey', { KeyId: id, KeySpec: 'AES_128' });
    expect(Buffer.from(made.Plaintext, 'base64').length).toBe(16);
    expect((await rig.send('Decrypt', { CiphertextBlob: made.CiphertextBlob })).Plaintext).toBe(made.Plaintext);
    expect(Object.keys(await rig.send('GenerateDataKeyWithoutPlaintext', { KeyId: id, NumberOfBytes: 64 }))).toEqual([
      'CiphertextBlob',
      'KeyId',
      'KeyMaterialId',
    ]);
    expect(await rig.refusal('GenerateDataKey', { KeyId: id })).toBe(
      'ValidationException: Please specify either number of bytes or key spec.',
    );
  });

  test('a stranger who holds a blob is refused as if its key were not there', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret') });
    expect(await rig.refusal('Decrypt', { CiphertextBlob }, rig.call(KMS_STRANGER))).toMatch(/^AccessDeniedException/);
  });

  test('no plaintext and no ciphertext is in the event, and the encryption context stays as it was written', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const sealed = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret'), EncryptionContext: { Department: 'IT' } });
    await rig.send('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { Department: 'IT' } });
    await rig.send('DisableKey', { KeyId: id });
    await rig.refusal('Encrypt', { KeyId: id, Plaintext: base64('secret') });
    const shown = rig.records.slice(1);
    const resources = [{ type: 'AWS::KMS::Key', name: ARN(id), account: KMS_ACCOUNT }];
    const copyTo = [KMS_ACCOUNT];
    const additionalEventData = { keyMaterialId: await rig.materialOf(id) };
    expect(shown.map(({ call: _, ...record }) => record)).toEqual([
      {
        eventSource: 'kms.amazonaws.com',
        eventName: 'Encrypt',
        isReadOnly: true,
        category: 'Management',
        requestParameters: { keyId: id, encryptionContext: { Department: 'IT' } },
        responseElements: null,
        resources,
        copyTo,
        additionalEventData,
      },
      {
        eventSource: 'kms.amazonaws.com',
        eventName: 'Decrypt',
        isReadOnly: true,
        category: 'Management',
        requestParameters: { encryptionAlgorithm: 'SYMMETRIC_DEFAULT', encryptionContext: { Department: 'IT' } },
        responseElements: null,
        resources,
        copyTo,
        additionalEventData,
      },
      {
        eventSource: 'kms.amazonaws.com',
        eventName: 'DisableKey',
        isReadOnly: false,
        category: 'Management',
        requestParameters: { keyId: id },
        responseElements: null,
        resources,
        copyTo,
      },
      {
        eventSource: 'kms.amazonaws.com',
        eventName: 'Encrypt',
        isReadOnly: true,
        category: 'Management',
        requestParameters: { keyId: id },
        responseElements: null,
        error: { code: 'DisabledException', message: `${ARN(id)} is disabled.` },
      },
    ]);
  });
});

describe('what KMS makes and does not keep', () => {
  test.each(['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P521', 'ECC_SECG_P256K1'])(
    'a pair of %s comes with its public half in the clear, and its private half sealed under the context',
    async (KeyPairSpec) => {
      const rig = new KmsRig();
      const KeyId = await rig.newKey();
      const EncryptionContext = { Department: 'IT' };
      const pair = await rig.send('GenerateDataKeyPair', { KeyId, KeyPairSpec, EncryptionContext });
      const privateKey = createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext, 'base64'), type: 'pkcs8', format: 'der' });
      const signature = createSign('sha256').update('a message').sign(privateKey);
      const publicKey = createPublicKey({ key: Buffer.from(pair.PublicKey, 'base64'), type: 'spki', format: 'der' });
      expect(createVerify('sha256').update('a message').verify(publicKey, signature)).toBe(true);
      const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
      expect((await rig.send('Decrypt', { CiphertextBlob, EncryptionContext })).Plaintext).toBe(pair.PrivateKeyPlaintext);
      expect(await rig.refusal('Decrypt', { CiphertextBlob })).toMatch(/^InvalidCiphertextException/);
      const sealed = await rig.send('GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec });
      expect(Object.keys(sealed)).toEqual(['PrivateKeyCiphertextBlob', 'PublicKey', 'KeyId', 'KeyPairSpec', 'KeyMaterialId']);
      const made = rig.records.find(({ eventName }) => eventName === 'GenerateDataKeyPair');
      expect([made?.requestParameters, made?.responseElements]).toEqual([
        { keyId: KeyId, keyPairSpec: KeyPairSpec, encryptionContext: EncryptionContext },
        null,
      ]);
    },
  );

  test('a pair that cannot be made is refused, and not made as another one', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey();
    expect(await rig.refusal('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'SM2' })).toMatch(/^UnsupportedOperationException/);
    expect(await rig.refusal('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_512' })).toMatch(/^ValidationException/);
  });

  test('random bytes come as many as are asked for, and none is in the event', async () => {
    const rig = new KmsRig();
    const { Plaintext } = await rig.send('GenerateRandom', { NumberOfBytes: 1024 });
    expect(Buffer.from(Plaintext, 'base64').length).toBe(1024);
    expect(rig.records).toMatchObject([{ eventName: 'GenerateRandom', responseElements: null }]);
    for (const input of [{}, { NumberOfBytes: 1025 }]) expect(await rig.refusal('GenerateRandom', input)).toMatch(/^ValidationException/);
    expect(await rig.refusal('GenerateRandom', { NumberOfBytes: 1, CustomKeyStoreId: 'cks-1' })).toMatch(/^CustomKeyStoreNotFound/);
  });
});

describe('UpdateKeyDescription', () => {
  test('a key is described anew, but not while its deletion is pending', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ Description: 'old' });
    await rig.send('UpdateKeyDescription', { KeyId, Description: 'new' });
    expect((await rig.send('DescribeKey', { KeyId })).KeyMetadata.Description).toBe('new');
    await rig.send('ScheduleKeyDeletion', { KeyId });
    expect(await rig.refusal('UpdateKeyDescription', { KeyId, Description: '' })).toMatch(/^KMSInvalidStateException/);
  });
});

describe('the state of a key', () => {
  test('a disabled key decrypts nothing until it is enabled, and the change is a fact in the journal', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('secret') });
    await rig.send('DisableKey', { KeyId: id });
    expect(await rig.refusal('Decrypt', { CiphertextBlob })).toBe(`DisabledException: ${ARN(id)} is disabled.`);
    await rig.send('EnableKey', { KeyId: id });
    expect((await rig.send('Decrypt', { CiphertextBlob })).Plaintext).toBe(base64('secret'));
    const facts = (await rig.journal.read(0n, 10)).map((entry) => JSON.parse(new TextDecoder().decode(entry.bytes)));
    expect(facts.map(({ event, resource }) => [event, resource])).toEqual([
      ['DisableKey', ARN(id)],
      ['EnableKey', ARN(id)],
    ]);
    expect(facts[1].beforeSha256).toBe(facts[0].afterSha256);
    expect(facts[1].afterSha256).toBe(facts[0].beforeSha256);
  });

  test('a key whose deletion is pending can be kept, and is then disabled; one whose time has come is gone with its aliases', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    await rig.send('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: id });
    expect(await rig.refusal('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 3 })).toMatch(/^ValidationException/);
    expect(await rig.send('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })).toEqual({
      KeyId: ARN(id),
      DeletionDate: (rig.clock.nowMs() + 7 * DAY_MS) / 1000,
      KeyState: 'PendingDeletion',
      PendingWindowInDays: 7,
    });
    expect(await rig.refusal('Encrypt', { KeyId: id, Plaintext: 'AA==' })).toBe(
      `KMSInvalidStateException: ${ARN(id)} is pending deletion.`,
    );
    await rig.send('CancelKeyDeletion', { KeyId: id });
    expect((await rig.send('DescribeKey', { KeyId: id })).KeyMetadata.KeyState).toBe('Disabled');
    expect(await rig.refusal('CancelKeyDeletion', { KeyId: id })).toMatch(/^KMSInvalidStateException/);

    await rig.send('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    await rig.clock.advance(7 * DAY_MS);
    expect((await rig.send('ListKeys')).Keys).toEqual([]);
    expect(await rig.refusal('DescribeKey', { KeyId: id })).toMatch(/^NotFoundException/);
    expect((await rig.send('ListAliases')).Aliases).toEqual([]);
  });

  test('a key whose time has come is deleted once, by an event of the service and with facts, whoever meets it, or nobody', async () => {
    const rig = new KmsRig();
    const [id, other] = [await rig.newKey(), await rig.newKey()];
    await rig.send('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: id });
    for (const KeyId of [id, other]) await rig.send('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    await rig.clock.advance(7 * DAY_MS);
    await Promise.all([1, 2, 3].map(() => rig.refusal('DescribeKey', { KeyId: 'alias/logs' })));
    const place = { account: KMS_ACCOUNT, region: KMS_REGION };
    const deletionOf = (keyId: string, more: readonly object[] = []) => ({
      ...place,
      eventName: 'DeleteKey',
      responseElements: { keyId: ARN(keyId) },
      resources: [{ type: 'AWS::KMS::Key', name: ARN(keyId), account: KMS_ACCOUNT }],
      changes: [{ ...place, resource: ARN(keyId), before: expect.anything(), after: undefined }, ...more],
    });
    const alias = {
      ...place,
      resource: `arn:aws:kms:${KMS_REGION}:${KMS_ACCOUNT}:alias/logs`,
      before: expect.anything(),
      after: undefined,
    };
    expect(rig.keyEvents).toEqual([deletionOf(id, [alias])]);
    // The material is not hashed, not even as it is wrapped.
    expect(JSON.stringify(rig.keyEvents)).not.toContain('wrapped');

    const stop = rig.tendKeys();
    await rig.passDays(1);
    await stop();
    expect(rig.keyEvents.slice(1)).toEqual([deletionOf(other)]);
    expect(await rig.deps.catalog.list(['kms-key'])).toEqual([]);
  });

  test('a clock that is set ahead deletes no key whose time has not come', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('evidence') });
    await rig.send('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    rig.clock.jump(30 * DAY_MS);
    expect(await rig.refusal('Decrypt', { CiphertextBlob })).toBe(`KMSInvalidStateException: ${ARN(id)} is pending deletion.`);
    rig.clock.jump(-30 * DAY_MS);
    await rig.send('CancelKeyDeletion', { KeyId: id });
    await rig.send('EnableKey', { KeyId: id });
    expect((await rig.send('Decrypt', { CiphertextBlob })).Plaintext).toBe(base64('evidence'));
  });

  test('many that meet a key whose time has come are told alike that it is gone', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    await rig.send('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    await rig.clock.advance(7 * DAY_MS);
    const told = await Promise.all(Array.from({ length: 4 }, () => rig.refusal('DescribeKey', { KeyId: id })));
    expect(new Set(told)).toEqual(new Set([`NotFoundException: Key '${ARN(id)}' does not exist`]));
  });
});

describe('rotation', () => {
  test('is off until it is enabled, with a period of its own or of a year, and does not begin anew when it is asked for again', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const status = () => rig.send('GetKeyRotationStatus', { KeyId: id });
    const nextAfter = (days: number) => (rig.clock.nowMs() + days * DAY_MS) / 1000;
    expect(await status()).toEqual({ KeyRotationEnabled: false, KeyId: ARN(id) });
    await rig.send('EnableKeyRotation', { KeyId: id });
    const yearly = { KeyRotationEnabled: true, KeyId: ARN(id), RotationPeriodInDays: 365, NextRotationDate: nextAfter(365) };
    expect(await status()).toEqual(yearly);
    await rig.clock.advance(DAY_MS);
    await rig.send('EnableKeyRotation', { KeyId: id });
    expect(await status()).toEqual(yearly);
    await rig.send('EnableKeyRotation', { KeyId: id, RotationPeriodInDays: 90 });
    expect(await status()).toMatchObject({ RotationPeriodInDays: 90, NextRotationDate: nextAfter(90) });
    await rig.send('DisableKeyRotation', { KeyId: id });
    expect(await status()).toEqual({ KeyRotationEnabled: false, KeyId: ARN(id) });
  });

  test.each([89, 2561])('a period of %i days is refused', async (RotationPeriodInDays) => {
    const rig = new KmsRig();
    expect(await rig.refusal('EnableKeyRotation', { KeyId: await rig.newKey(), RotationPeriodInDays })).toMatch(
      /^ValidationException: 1 validation error detected: Value '\d+' at 'rotationPeriodInDays' failed to satisfy constraint/,
    );
  });

  test('is for symmetric keys that are on; while its deletion is pending a key has none, and has it again when it is kept', async () => {
    const rig = new KmsRig();
    const pair = await rig.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    for (const name of ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand', 'ListKeyRotations'])
      expect(await rig.refusal(name, { KeyId: pair })).toMatch(/^UnsupportedOperationException/);
    expect(await rig.send('GetKeyRotationStatus', { KeyId: pair })).toEqual({ KeyRotationEnabled: false, KeyId: ARN(pair) });
    const id = await rig.newKey();
    await rig.send('EnableKeyRotation', { KeyId: id });
    await rig.send('DisableKey', { KeyId: id });
    for (const name of ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand'])
      expect(await rig.refusal(name, { KeyId: id })).toMatch(/^DisabledException/);
    await rig.send('ScheduleKeyDeletion', { KeyId: id });
    expect(await rig.send('GetKeyRotationStatus', { KeyId: id })).toMatchObject({ KeyRotationEnabled: false });
    await rig.send('CancelKeyDeletion', { KeyId: id });
    expect(await rig.send('GetKeyRotationStatus', { KeyId: id })).toMatchObject({ KeyRotationEnabled: true });
  });

  test('on demand: what is encrypted from then on has new material, what was encrypted before stays readable, and the record says so', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    const first = await rig.materialOf(id);
    const old = await rig.send('Encrypt', { KeyId: id, Plaintext: base64('old') });
    expect(await rig.send('RotateKeyOnDemand', { KeyId: id })).toEqual({ KeyId: id });
    const second = await rig.materialOf(id);
    expect(second).not.toBe(first);
    expect(await rig.send('GenerateDataKey', { KeyId: id, KeySpec: 'AES_256' })).toMatchObject({ KeyMaterialId: second });
    expect(await rig.send('Decrypt', { CiphertextBlob: old.CiphertextBlob })).toMatchObject({
      Plaintext: base64('old'),
      KeyMaterialId: first,
    });
    const moved = await rig.send('ReEncrypt', { CiphertextBlob: old.CiphertextBlob, DestinationKeyId: id });
    expect(moved).toMatchObject({ SourceKeyMaterialId: first, DestinationKeyMaterialId: second });
    expect(rig.keyEvents).toEqual([
      {
        account: KMS_ACCOUNT,
        region: KMS_REGION,
        eventName: 'RotateKey',
        details: {
          rotationType: 'ON_DEMAND',
          keyOrigin: 'AWS_KMS',
          previousKeyMaterialId: first,
          currentKeyMaterialId: second,
        },
        resources: [{ type: 'AWS::KMS::Key', name: ARN(id), account: KMS_ACCOUNT }],
      },
    ]);
    const rotation = { KeyId: id, KeyMaterialId: second, KeyMaterialState: 'CURRENT', RotationType: 'ON_DEMAND' };
    const entry = { ...rotation, RotationDate: rig.clock.nowMs() / 1000 };
    expect(await rig.send('ListKeyRotations', { KeyId: id })).toEqual({ Rotations: [entry], Truncated: false });
    const all = await rig.send('ListKeyRotations', { KeyId: id, IncludeKeyMaterial: 'ALL_KEY_MATERIAL', Limit: 1 });
    expect(all).toMatchObject({ Rotations: [{ KeyId: id, KeyMaterialId: first, KeyMaterialState: 'NON_CURRENT' }], Truncated: true });
  });

  test('is done on demand 25 times at most', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    for (let times = 0; times < 25; times++) await rig.send('RotateKeyOnDemand', { KeyId: id });
    expect(await rig.refusal('RotateKeyOnDemand', { KeyId: id })).toMatch(/^LimitExceededException/);
  });

  test('comes by itself when its time has come, again and again, but not to a key that is off', async () => {
    const rig = new KmsRig();
    const [id, off] = [await rig.newKey(), await rig.newKey()];
    for (const KeyId of [id, off]) await rig.send('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 });
    await rig.send('DisableKey', { KeyId: off });
    const stop = rig.tendKeys();
    await rig.passDays(89);
    expect(rig.keyEvents).toEqual([]);
    await rig.passDays(92);
    await stop();
    expect(rig.keyEvents.map(({ details }) => details!['rotationType'])).toEqual(['AUTOMATIC', 'AUTOMATIC']);
    const { Rotations } = await rig.send('ListKeyRotations', { KeyId: id });
    expect(Rotations.map(({ RotationType }: { RotationType: string }) => RotationType)).toEqual(['AUTOMATIC', 'AUTOMATIC']);
    expect((await rig.send('ListKeyRotations', { KeyId: off })).Rotations).toEqual([]);
  });

  test('comes as it is recorded, also when the key is changed in that moment', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    await rig.send('EnableKeyRotation', { KeyId: id, RotationPeriodInDays: 90 });
    const stop = rig.tendKeys(() => rig.send('UpdateKeyDescription', { KeyId: id, Description: 'changed' }));
    await rig.passDays(91);
    await stop();
    expect(rig.keyEvents.map(({ details }) => details!['currentKeyMaterialId'])).toEqual([await rig.materialOf(id)]);
    expect((await rig.send('DescribeKey', { KeyId: id })).KeyMetadata.Description).toBe('changed');
  });

  test('does not come to a key because the clock is set ahead', async () => {
    const rig = new KmsRig();
    await rig.send('EnableKeyRotation', { KeyId: await rig.newKey() });
    const stop = rig.tendKeys();
    rig.clock.jump(400 * DAY_MS);
    await rig.passDays(1);
    await stop();
    expect(rig.keyEvents).toEqual([]);
  });
});

describe('a key that is used from another account', () => {
  test('has the use in the record of its owner, too', async () => {
    const rig = new KmsRig();
    const Statement = [{ Effect: 'Allow', Principal: { AWS: [KMS_ACCOUNT, KMS_STRANGER] }, Action: 'kms:*', Resource: '*' }];
    const id = await rig.newKey({ Policy: JSON.stringify({ Version: '2012-10-17', Statement }) });
    const stranger = rig.call(KMS_STRANGER);
    const { CiphertextBlob } = await rig.send('Encrypt', { KeyId: ARN(id), Plaintext: base64('secret') }, stranger);
    await rig.send('Decrypt', { CiphertextBlob }, stranger);
    const own = (await rig.send('CreateKey', {}, stranger)).KeyMetadata.KeyId;
    await rig.send('ReEncrypt', { CiphertextBlob, DestinationKeyId: own }, stranger);
    expect(rig.records.slice(1).map(({ eventName, copyTo }) => [eventName, copyTo])).toEqual([
      ['Encrypt', [KMS_ACCOUNT]],
      ['Decrypt', [KMS_ACCOUNT]],
      ['CreateKey', undefined],
      ['ReEncrypt', [KMS_ACCOUNT, KMS_STRANGER]],
    ]);
  });
});

describe('what is for the account of a key alone', () => {
  test('is refused to others whatever the policy of the key says, and as if there were no key', async () => {
    const rig = new KmsRig();
    const Statement = [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const id = await rig.newKey({ Policy });
    const stranger = rig.call(KMS_STRANGER);
    const tag = { TagKey: 'team', TagValue: 'theirs' };
    const calls: readonly (readonly [string, object])[] = [
      ...['EnableKey', 'DisableKey', 'ScheduleKeyDeletion', 'CancelKeyDeletion'].map((name) => [name, {}] as const),
      ...['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand', 'ListKeyRotations'].map((name) => [name, {}] as const),
      ...['GetKeyPolicy', 'ListKeyPolicies', 'ListResourceTags'].map((name) => [name, {}] as const),
      ['PutKeyPolicy', { Policy, BypassPolicyLockoutSafetyCheck: true }],
      ['TagResource', { Tags: [tag] }],
      ['UntagResource', { TagKeys: ['team'] }],
      ['UpdateKeyDescription', { Description: 'theirs' }],
    ];
    for (const [name, input] of calls)
      for (const KeyId of [ARN(id), ARN(NO_KEY)])
        expect(await rig.refusal(name, { ...input, KeyId }, stranger)).toBe(
          `AccessDeniedException: User: arn:aws:iam::${KMS_STRANGER}:root is not authorized to perform: kms:${name} on resource: ${KeyId} because no resource-based policy allows the kms:${name} action`,
        );
    expect(await rig.refusal('CreateAlias', { AliasName: 'alias/theirs', TargetKeyId: ARN(id) }, stranger)).toMatch(/^AccessDenied/);
    expect((await rig.send('DescribeKey', { KeyId: ARN(id) }, stranger)).KeyMetadata.KeyState).toBe('Enabled');
    expect(await rig.send('GetKeyRotationStatus', { KeyId: ARN(id) }, stranger)).toMatchObject({ KeyRotationEnabled: false });
  });
});

describe('aliases', () => {
  test('an alias is made once, moves to another key, and is deleted', async () => {
    const rig = new KmsRig();
    const [one, other] = [await rig.newKey(), await rig.newKey()];
    await rig.send('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: one });
    expect(await rig.refusal('CreateAlias', { AliasName: 'alias/logs', TargetKeyId: other })).toMatch(/^AlreadyExistsException/);
    await rig.send('UpdateAlias', { AliasName: 'alias/logs', TargetKeyId: other });
    expect((await rig.send('ListAliases', { KeyId: other })).Aliases).toMatchObject([{ AliasName: 'alias/logs', TargetKeyId: other }]);
    await rig.send('DeleteAlias', { AliasName: 'alias/logs' });
    expect(await rig.refusal('DeleteAlias', { AliasName: 'alias/logs' })).toMatch(/^NotFoundException/);
    expect(await rig.refusal('CreateAlias', { AliasName: 'logs', TargetKeyId: one })).toMatch(/^ValidationException/);
    expect(await rig.refusal('CreateAlias', { AliasName: 'alias/aws/s3', TargetKeyId: one })).toMatch(/^NotAuthorizedException/);
  });
});

describe('key policies', () => {
  test('the default policy gives the key to the root of its account', async () => {
    const rig = new KmsRig();
    const { Policy } = await rig.send('GetKeyPolicy', { KeyId: await rig.newKey(), PolicyName: 'default' });
    expect(JSON.parse(Policy).Statement).toEqual([
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${KMS_ACCOUNT}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ]);
  });

  test('a policy that is none, or that would lock its account out, is refused; the latter not when the caller insists', async () => {
    const rig = new KmsRig();
    const id = await rig.newKey();
    expect(await rig.refusal('PutKeyPolicy', { KeyId: id, Policy: '{' })).toMatch(/^MalformedPolicyDocumentException: .*JSON/);
    const Statement = [{ Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action: 'kms:*', Resource: '*' }];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    expect(await rig.refusal('PutKeyPolicy', { KeyId: id, Policy })).toMatch(/not allow you to update the key policy/);
    expect(await rig.send('ListKeyPolicies', { KeyId: id })).toEqual({ PolicyNames: ['default'], Truncated: false });
    await rig.send('PutKeyPolicy', { KeyId: id, Policy, BypassPolicyLockoutSafetyCheck: true });
    // From now on nobody manages the key: not even the account's root, whom its policy leaves out.
    expect(await rig.refusal('GetKeyPolicy', { KeyId: id })).toMatch(/no resource-based policy allows the kms:GetKeyPolicy action/);
  });
});

describe('conditions on the tags of a call', () => {
  const session = (rig: KmsRig): Call => {
    const call = rig.call();
    const role = { name: 'keeper', id: 'AROAEXAMPLE', arn: `arn:aws:iam::${KMS_ACCOUNT}:role/keeper` };
    const arn = `arn:aws:sts::${KMS_ACCOUNT}:assumed-role/keeper/me`;
    return {
      ...call,
      principal: {
        ...{ ...call.principal, type: 'AssumedRole', arn, principalId: `${role.id}:me` },
        session: { issuedAtMs: call.receivedAtMs, tags: [], transitiveTagKeys: [], role },
      },
    };
  };

  test('see its keys and values: of TagResource and of UntagResource', async () => {
    const rig = new KmsRig();
    const Statement = [
      { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:TagResource',
        Resource: '*',
        Condition: { StringEquals: { 'aws:RequestTag/team': 'red' } },
      },
      {
        ...{ Effect: 'Deny', Principal: '*', Action: 'kms:*', Resource: '*' },
        Condition: { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['owner'] } },
      },
    ];
    const KeyId = await rig.newKey({ Policy: JSON.stringify({ Version: '2012-10-17', Statement }) });
    const tagged = (TagKey: string, TagValue: string) => rig.refusal('TagResource', { KeyId, Tags: [{ TagKey, TagValue }] });
    expect(await tagged('team', 'red')).toMatch(/explicit deny/);
    expect(await tagged('team', 'blue')).toMatch(/^no refusal/);
    expect(await tagged('owner', 'me')).toMatch(/explicit deny/);
    expect(await rig.refusal('UntagResource', { KeyId, TagKeys: ['owner'] })).toMatch(/explicit deny/);
    expect(await rig.refusal('UntagResource', { KeyId, TagKeys: ['team'] })).toMatch(/^no refusal/);
  });

  test('see the keys of the tags that a new key is to have', () => {
    const rig = new KmsRig();
    const [request] = createKey(rig.deps).access!(rig.call(), { Tags: [{ key: 'Team', value: 'red' }] }) as readonly AccessRequest[];
    expect([...request!.context!]).toEqual([
      ['aws:requesttag/team', ['red']],
      ['aws:tagkeys', ['Team']],
    ]);
  });

  test('a policy that lets the role of the caller change it again does not lock it out', async () => {
    const rig = new KmsRig();
    const Principal = { AWS: `arn:aws:iam::${KMS_ACCOUNT}:role/keeper` };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }] });
    const KeyId = await rig.newKey();
    const set = putKeyPolicy(rig.deps).decide(session(rig), { KeyId, Policy });
    await expect(set).resolves.toMatchObject({ output: {} });
  });
});

describe('Sign and Verify', () => {
  test.each([
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
    ['RSA_2048', 'RSASSA_PSS_SHA_512'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384'],
  ])('%s signs by %s, and only the very message verifies', async (KeySpec, SigningAlgorithm) => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    const { Signature } = await rig.send('Sign', { KeyId, Message: base64('a message'), SigningAlgorithm });
    expect(await rig.send('Verify', { KeyId, Message: base64('a message'), Signature, SigningAlgorithm })).toMatchObject({
      SignatureValid: true,
    });
    expect(await rig.refusal('Verify', { KeyId, Message: base64('another'), Signature, SigningAlgorithm })).toMatch(/^KMSInvalidSignature/);
    expect(await rig.refusal('Encrypt', { KeyId, Plaintext: 'AA==' })).toMatch(/^InvalidKeyUsageException/);
  });

  test('a digest that the caller made is signed like its message, where the runtime can', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const digest = { MessageType: 'DIGEST', Message: hash('sha256', 'a message', 'buffer').toString('base64') };
    const SigningAlgorithm = 'RSASSA_PKCS1_V1_5_SHA_256';
    const { Signature } = await rig.send('Sign', { KeyId, ...digest, SigningAlgorithm });
    expect(await rig.send('Sign', { KeyId, Message: base64('a message'), SigningAlgorithm })).toMatchObject({ Signature });
    expect(await rig.send('Verify', { KeyId, ...digest, Signature, SigningAlgorithm })).toMatchObject({ SignatureValid: true });
    expect(await rig.refusal('Sign', { KeyId, MessageType: 'DIGEST', Message: 'AA==', SigningAlgorithm })).toMatch(
      /^ValidationException: Digest/,
    );
    expect(await rig.refusal('Sign', { KeyId, ...digest, SigningAlgorithm: 'RSASSA_PSS_SHA_256' })).toMatch(/^UnsupportedOperation/);
  });

  test('the public key lets anyone verify', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const { PublicKey } = await rig.send('GetPublicKey', { KeyId });
    const { Signature } = await rig.send('Sign', { KeyId, Message: base64('a message'), SigningAlgorithm: 'ECDSA_SHA_256' });
    const key = createPublicKey({ key: Buffer.from(PublicKey, 'base64'), type: 'spki', format: 'der' });
    expect(createVerify('sha256').update('a message').verify(key, Buffer.from(Signature, 'base64'))).toBe(true);
    expect(await rig.refusal('GetPublicKey', { KeyId: await rig.newKey() })).toMatch(/^UnsupportedOperationException/);
  });
});

describe('tags', () => {
  test('tags are given, replaced, listed and taken away', async () => {
    const rig = new KmsRig();
    const KeyId = await rig.newKey({ Tags: [{ TagKey: 'Team', TagValue: 'a' }] });
    await rig.send('TagResource', {
      KeyId,
      Tags: [
        { TagKey: 'Team', TagValue: 'b' },
        { TagKey: 'Cost', TagValue: '' },
      ],
    });
    expect((await rig.send('ListResourceTags', { KeyId })).Tags).toEqual([
      { TagKey: 'Cost', TagValue: '' },
      { TagKey: 'Team', TagValue: 'b' },
    ]);
    await rig.send('UntagResource', { KeyId, TagKeys: ['Team', 'none'] });
    expect(await rig.send('ListResourceTags', { KeyId })).toEqual({ Tags: [{ TagKey: 'Cost', TagValue: '' }], Truncated: false });
    expect(await rig.refusal('TagResource', { KeyId, Tags: [{ TagKey: 'aws:x', TagValue: '' }] })).toMatch(/^TagException/);
  });
});
