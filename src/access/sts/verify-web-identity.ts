/**
 * Checks a token of an OIDC provider that the role's account has configured.
 *
 * Nothing is fetched for a token whose issuer is not configured there. Keys come from the issuer itself, through the guarded client,
 * and are kept for a while; a token that names a key we don't know makes us look again, not more often than twice a minute, so that
 * strangers cannot use us against the issuer. The token is untrusted until its signature was checked.
 * Source: OpenID Connect Core 1.0 §3.1.3.7, Discovery 1.0; RFC 7515, 7517, 7518 (RS256, ES256); IAM User Guide, "OIDC federation".
 */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { ApiError } from '../../api/api-error.ts';
import { isJsonObject } from '../../event/members.ts';
import type { AccountId, Json, JsonObject } from '../../event/types.ts';
import type { Outbound } from '../../store/outbound.ts';
import type { Identities } from '../identities.ts';
import type { Tag } from '../identity-documents.ts';
import { type OidcProvider, oidcArn, oidcKey } from '../oidc-provider.ts';

/** Who a token is of, checked. */
export interface WebIdentity {
  readonly account: AccountId;
  readonly providerArn: string;
  readonly host: string;
  readonly subject: string;
  readonly audience: string;
  readonly methods: readonly string[];
  readonly tags: readonly Tag[];
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity?: string;
}

export interface WebIdentityDeps {
  readonly identities: Identities;
  readonly outbound: Pick<Outbound, 'send'>;
  /** Tokens are dated by the real time. */
  readonly realTimeMs: () => number;
}

const KEYS_GOOD_MS = 10 * 60_000;
const LOOK_AGAIN_MS = 30_000;
const FETCH_TIMEOUT_MS = 5_000;
const DOCUMENT_BYTES_MAX = 256 * 1024;
/** How far the issuer's clock may be off. */
const SKEW_SECONDS = 300;
const TAGS_CLAIM = 'https://aws.amazon.com/tags';
const SOURCE_IDENTITY_CLAIM = 'https://aws.amazon.com/source_identity';

type Claims = JsonObject;

interface KeySet {
  readonly keys: readonly JsonWebKey[];
  readonly fetchedAtMs: number;
}

export class WebIdentityVerifier {
  readonly #deps: WebIdentityDeps;
  /** By issuer; those that were ever configured. */
  readonly #keySets = new Map<string, KeySet>();
  /** Fetches under way, one for each issuer. */
  readonly #fetching = new Map<string, Promise<KeySet>>();

  constructor(deps: WebIdentityDeps) {
    this.#deps = deps;
  }

  /**
   * @param account The role's.
   * @throws ApiError InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError
   */
  async verify(token: string, account: AccountId): Promise<WebIdentity> {
    const { header, claims, signed, signature } = readToken(token);
    const provider = await this.#providerOf(claims, account);
    const key = await this.#keyOf(provider, header);
    const isRight = verify(
      'sha256',
      Buffer.from(signed),
      { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      signature,
    );
    if (!isRight) throw invalid('The signature of the token is not that of its issuer.');
    this.#checkTimes(claims);
    const { host, clientIds } = provider;
    const audiences = [claims['aud']].flat().filter((value) => typeof value === 'string');
    const audience = audiences.find((value) => clientIds.includes(value));
    if (audience === undefined) throw invalid('Incorrect token audience');
    const subject = claims['sub'];
    if (typeof subject !== 'string' || subject === '' || subject.length > 255)
      throw invalid('The token has no subject of 1 to 255 characters.');
    return {
      account,
      providerArn: oidcArn(account, host),
      host,
      subject,
      audience,
      methods: [claims['amr'] ?? []].flat().filter((value) => typeof value === 'string'),
      ...readTags(claims[TAGS_CLAIM]),
      ...readSourceIdentity(claims[SOURCE_IDENTITY_CLAIM]),
    };
  }

  async #providerOf(claims: Claims, account: AccountId): Promise<OidcProvider> {
    const issuer = claims['iss'];
    if (typeof issuer !== 'string' || issuer.length > 512) throw invalid('The token names no issuer.');
    const host = issuer.replace(/^https?:\/\//, '').replace(/\/$/, '');
    const found = host === '' || host.includes('\0') ? undefined : await this.#deps.identities.get<OidcProvider>(oidcKey(account, host));
    if (found === undefined || issuer.replace(/\/$/, '') !== issuerOf(found.value))
      throw invalid('No OpenIDConnect provider found in your account for the issuer of the token.');
    return found.value;
  }

  async #keyOf(provider: OidcProvider, { alg, kid }: { readonly alg: string; readonly kid: string | undefined }): Promise<JsonWebKey> {
    const matches = (key: JsonWebKey & { readonly kid?: unknown; readonly use?: unknown; readonly alg?: unknown }) =>
      (kid === undefined || key.kid === kid) &&
      (key.use === undefined || key.use === 'sig') &&
      (key.alg === undefined || key.alg === alg) &&
      (alg === 'RS256' ? key.kty === 'RSA' : key.kty === 'EC' && key.crv === 'P-256');
    const known = this.#keySets.get(provider.host);
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : this.#deps.realTimeMs() - known.fetchedAtMs;
    const key = ageMs < KEYS_GOOD_MS ? known?.keys.find(matches) : undefined;
    if (key !== undefined) return key;
    if (ageMs < LOOK_AGAIN_MS) throw invalid('The token is signed with a key that its issuer does not show.');
    const found = (await this.#fetchOnce(provider)).keys.find(matches);
    if (found !== undefined) return found;
    throw invalid('The token is signed with a key that its issuer does not show.');
  }

  async #fetchOnce(provider: OidcProvider): Promise<KeySet> {
    const running = this.#fetching.get(provider.host) ?? this.#fetchKeys(provider);
    this.#fetching.set(provider.host, running);
    try {
      return await running;
    } finally {
      this.#fetching.delete(provider.host);
    }
  }

  async #fetchKeys(provider: OidcProvider): Promise<KeySet> {
    const issuer = issuerOf(provider);
    const configuration = await this.#fetchJson(`${issuer}/.well-known/openid-configuration`);
    const place = configuration['jwks_uri'];
    if (configuration['issuer'] !== issuer && configuration['issuer'] !== `${issuer}/`)
      throw invalid('The issuer calls itself by another name.');
    if (typeof place !== 'string' || !place.startsWith(provider.isPlain ? `${issuer}/` : 'https://'))
      throw invalid('The issuer shows its keys at no place that can be trusted.');
    const list = (await this.#fetchJson(place))['keys'];
    const keys = (Array.isArray(list) ? (list as readonly Json[]) : []).filter(isJsonObject) as readonly JsonWebKey[];
    const set = { keys, fetchedAtMs: this.#deps.realTimeMs() };
    this.#keySets.set(provider.host, set);
    return set;
  }

  async #fetchJson(url: string): Promise<Claims> {
    try {
      const { status, body } = await this.#deps.outbound.send({
        method: 'GET',
        url,
        timeoutMs: FETCH_TIMEOUT_MS,
        responseBytesMax: DOCUMENT_BYTES_MAX,
      });
      const json = JSON.parse(Buffer.from(body).toString('utf8')) as Json;
      if (status === 200 && isJsonObject(json)) return json;
      throw new Error(`the answer has status ${status} and is no object`);
    } catch (cause) {
      throw new ApiError('IDPCommunicationError', "Couldn't retrieve verification key from your identity provider.", {
        status: 400,
        cause,
      });
    }
  }

  #checkTimes(claims: Claims): void {
    const now = this.#deps.realTimeMs() / 1000;
    const { exp, nbf = 0, iat } = claims;
    if (typeof exp !== 'number' || typeof iat !== 'number' || typeof nbf !== 'number')
      throw invalid('The token does not say when it was issued and when it ends.');
    if (exp <= now) throw new ApiError('ExpiredTokenException', 'Token expired: its time is over by our clock.', { status: 400 });
    if (Math.max(iat, nbf) > now + SKEW_SECONDS) throw invalid('The token is not valid yet.');
  }
}

function issuerOf({ host, isPlain }: OidcProvider): string {
  return `${isPlain ? 'http' : 'https'}://${host}`;
}

/** The parts of an untrusted token. */
function readToken(token: string) {
  const [head, body, tail, more] = token.split('.');
  if (head === undefined || body === undefined || tail === undefined || more !== undefined)
    throw invalid('The token is no JSON Web Token.');
  const header = readPart(head);
  const alg = header['alg'];
  if (alg !== 'RS256' && alg !== 'ES256') throw invalid('The token is signed in a way that is not supported; RS256 and ES256 are.');
  // Extensions that must be understood: we know none.
  if (header['crit'] !== undefined) throw invalid('The token demands an extension that is not supported.');
  const kid = typeof header['kid'] === 'string' ? header['kid'] : undefined;
  return { header: { alg, kid }, claims: readPart(body), signed: `${head}.${body}`, signature: Buffer.from(tail, 'base64url') };
}

function readPart(text: string): Claims {
  try {
    const json = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Json;
    if (isJsonObject(json)) return json;
  } catch {
    // Said below.
  }
  throw invalid('The token is no JSON Web Token.');
}

/** Session tags that the provider sets: `{"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}`. */
function readTags(claim: Json | undefined): Pick<WebIdentity, 'tags' | 'transitiveTagKeys'> {
  const { principal_tags: given = {}, transitive_tag_keys: transitive = [] } = isJsonObject(claim) ? claim : {};
  if (!isJsonObject(given) || !Array.isArray(transitive))
    throw invalid('The tags of the token are not in the form that session tags have.');
  const tags = Object.entries(given).map(([Key, values]) => {
    const [Value] = [values].flat();
    if (typeof Value !== 'string' || Key.length > 128 || Value.length > 256)
      throw invalid('The tags of the token are not in the form that session tags have.');
    return { Key, Value };
  });
  if (tags.length > 50) throw invalid('The token has more than 50 tags.');
  return { tags, transitiveTagKeys: transitive.filter((key): key is string => typeof key === 'string' && Object.hasOwn(given, key)) };
}

function readSourceIdentity(claim: Json | undefined): { readonly sourceIdentity?: string } {
  if (claim === undefined) return {};
  if (typeof claim === 'string' && /^[\w+=,.@-]{2,64}$/.test(claim)) return { sourceIdentity: claim };
  throw invalid('The source identity of the token has 2 to 64 letters, digits and +=,.@-_');
}

function invalid(message: string): ApiError {
  return new ApiError('InvalidIdentityToken', message, { status: 400 });
}
