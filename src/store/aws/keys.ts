/**
 * KMS keys at endpoints that speak the API of KMS: AWS, or another that has it.
 *
 * The credentials of the configuration make and open data keys, and nothing else. Which account of this installation may use a key with
 * them is said by the configuration, since the KMS behind sees only those credentials.
 */
import type { KMSClient } from '@aws-sdk/client-kms';
import { type ForeignKeys, ForeignKeysError, readKeyArn } from '../foreign-keys.ts';
import type { Outbound } from '../outbound.ts';
import { readSdkError, sdkBasics, silenceSdk } from './outbound-handler.ts';

export interface ForeignKms {
  /** Where KMS is. Trusted: our operator's. */
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined };
  /** Accounts that may use the keys, beside the one in their ARNs. Trusted: whoever is in it encrypts and reads with our credentials. */
  readonly accounts: readonly string[];
}

/** @param places By ARN of a key, or what the ARNs of several begin with; the longest that fits counts. */
export function createAwsKeys(places: ReadonlyMap<string, ForeignKms>, outbound: Outbound): ForeignKeys {
  /** By place and Region. */
  const clients = new Map<string, KMSClient>();
  const longestFirst = [...places.keys()].sort((one, other) => other.length - one.length);
  const placeOf = (arn: string): string | undefined => longestFirst.find((start) => arn.startsWith(start));

  const clientFor = async (place: string, region: string): Promise<KMSClient> => {
    const key = `${place} ${region}`;
    const existing = clients.get(key);
    if (existing !== undefined) return existing;
    silenceSdk();
    const { KMSClient } = await import('@aws-sdk/client-kms');
    const { endpoint, credentials: given } = places.get(place)!;
    const { sessionToken, ...pair } = given;
    const credentials = { ...pair, ...(sessionToken === undefined ? {} : { sessionToken }) };
    const client = new KMSClient({ ...sdkBasics(outbound), endpoint, region, credentials });
    clients.set(key, client);
    return client;
  };

  const withKey = async <T>(arn: string, call: (client: KMSClient) => Promise<T>): Promise<T> => {
    const place = placeOf(arn);
    const region = readKeyArn(arn)?.region;
    if (place === undefined || region === undefined) throw new ForeignKeysError('NotFoundException', `no KMS is configured for \`${arn}\``);
    try {
      return await call(await clientFor(place, region));
    } catch (cause) {
      if (cause instanceof ForeignKeysError) throw cause;
      const { code, message } = readSdkError(cause);
      throw new ForeignKeysError(code, `\`${arn}\`: ${message}`, { cause });
    }
  };

  return {
    serves(arn, account) {
      const owner = readKeyArn(arn)?.account;
      const place = placeOf(arn);
      return owner !== undefined && place !== undefined && (owner === account || places.get(place)!.accounts.includes(account));
    },

    makeDataKey: (arn, context) =>
      withKey(arn, async (client) => {
        const { GenerateDataKeyCommand } = await import('@aws-sdk/client-kms');
        const command = new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', EncryptionContext: { ...context } });
        const { Plaintext: plain, CiphertextBlob: wrapped, KeyId: keyArn = arn } = await client.send(command);
        if (wrapped === undefined || wrapped.length === 0) throw new ForeignKeysError('InvalidAnswer', `\`${arn}\`: no data key was given`);
        // What is kept must lead to the same KMS again.
        return { keyArn: placeOf(keyArn) === undefined ? arn : keyArn, plain: dataKeyOf(arn, plain), wrapped: new Uint8Array(wrapped) };
      }),

    openDataKey: (arn, wrapped, context) =>
      withKey(arn, async (client) => {
        const { DecryptCommand } = await import('@aws-sdk/client-kms');
        const { Plaintext: plain } = await client.send(
          new DecryptCommand({ KeyId: arn, CiphertextBlob: wrapped, EncryptionContext: { ...context } }),
        );
        return dataKeyOf(arn, plain);
      }),
  };
}

/** The answer is untrusted in so far as it may be wrong. */
function dataKeyOf(arn: string, plain: Uint8Array | undefined): Uint8Array {
  if (plain?.length !== 32) throw new ForeignKeysError('InvalidAnswer', `\`${arn}\`: the data key has ${plain?.length ?? 0} bytes, not 32`);
  return new Uint8Array(plain);
}
