/**
 * `CreateOpenIDConnectProvider`, `GetOpenIDConnectProvider`, `ListOpenIDConnectProviders`, `DeleteOpenIDConnectProvider`.
 *
 * Source: IAM API Reference.
 */
import { requestTagContext } from '../../api/tags.ts';
import type { AccountId } from '../../event/types.ts';
import { noSuchEntity } from '../identities.ts';
import { added, removed } from '../identity-changes.ts';
import type { Tag } from '../identity-documents.ts';
import { type OidcProvider, oidcArn, oidcKey } from '../oidc-provider.ts';
import { alreadyExists, checkTags, type IamDeps, type IamOperation, limitExceeded, validationError } from './iam-deps.ts';

const PROVIDERS_MAX = 100;
const CLIENTS_MAX = 100;
const THUMBPRINTS_MAX = 5;

interface CreateInput {
  readonly Url: string;
  readonly ClientIDList?: readonly string[];
  readonly ThumbprintList?: readonly string[];
  readonly Tags?: readonly Tag[];
}

/** Host and path of an issuer. @throws ApiError ValidationError */
function hostOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A loopback issuer may go without TLS, as in tests; what is fetched from it passes the guarded client all the same.
  const isLocal = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url === undefined || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)))
    throw validationError('Invalid Open ID Connect Provider URL: it must begin with https://.');
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw validationError('Invalid Open ID Connect Provider URL: it has a host and a path only.');
  return text.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

export function createOidcProvider({ identities, clock }: IamDeps): IamOperation<CreateInput> {
  return {
    name: 'CreateOpenIDConnectProvider',
    isReadOnly: false,
    access: (call, { Url, Tags }) => [
      { action: 'iam:CreateOpenIDConnectProvider', resource: oidcArn(call.account, hostOf(Url)), context: requestTagContext(Tags) },
    ],
    decide: async ({ account }, { Url, ClientIDList: clientIds = [], ThumbprintList: thumbprints = [], Tags = [] }) => {
      const tags = checkTags(Tags);
      const host = hostOf(Url);
      if (clientIds.length > CLIENTS_MAX) throw limitExceeded('ClientIdsPerOpenIdConnectProvider', CLIENTS_MAX);
      if (thumbprints.length > THUMBPRINTS_MAX) throw limitExceeded('ThumbprintsPerOpenIdConnectProvider', THUMBPRINTS_MAX);
      const key = oidcKey(account, host);
      if (await identities.isTaken(key)) throw alreadyExists(`Provider with url ${Url} already exists.`);
      if ((await identities.listDocuments(['oidc-provider', account])).length >= PROVIDERS_MAX)
        throw limitExceeded('OpenIdConnectProvidersPerAccount', PROVIDERS_MAX);
      const isPlain = Url.startsWith('http:');
      const provider: OidcProvider = { account, host, isPlain, clientIds, thumbprints, createdAtMs: clock.nowMs(), tags };
      return {
        output: { OpenIDConnectProviderArn: oidcArn(account, host), ...(tags.length === 0 ? {} : { Tags: tags }) },
        ...identities.save([added(key, provider)]),
      };
    },
  };
}

interface ArnInput {
  readonly OpenIDConnectProviderArn: string;
}

/** @throws ApiError NoSuchEntity, also for the provider of another account. */
async function needProvider({ identities }: IamDeps, account: AccountId, arn: string) {
  const prefix = oidcArn(account, '');
  const host = arn.startsWith(prefix) ? arn.slice(prefix.length) : '';
  const found = host === '' || host.length > 512 ? undefined : await identities.get<OidcProvider>(oidcKey(account, host));
  if (found !== undefined) return found;
  throw noSuchEntity(`OpenIDConnect Provider not found for arn ${arn}`);
}

export function getOidcProvider(deps: IamDeps): IamOperation<ArnInput> {
  return {
    name: 'GetOpenIDConnectProvider',
    isReadOnly: true,
    access: (_, { OpenIDConnectProviderArn: resource }) => [{ action: 'iam:GetOpenIDConnectProvider', resource }],
    decide: async ({ account }, { OpenIDConnectProviderArn: arn }) => {
      const { value } = await needProvider(deps, account, arn);
      return {
        output: {
          Url: value.host,
          ClientIDList: value.clientIds,
          ThumbprintList: value.thumbprints,
          CreateDate: new Date(value.createdAtMs),
          ...(value.tags.length === 0 ? {} : { Tags: value.tags }),
        },
      };
    },
  };
}

export function listOidcProviders({ identities }: IamDeps): IamOperation<object> {
  return {
    name: 'ListOpenIDConnectProviders',
    isReadOnly: true,
    decide: async ({ account }) => {
      const all = await identities.listDocuments<OidcProvider>(['oidc-provider', account]);
      return { output: { OpenIDConnectProviderList: all.map(({ value }) => ({ Arn: oidcArn(account, value.host) })) } };
    },
  };
}

export function deleteOidcProvider(deps: IamDeps): IamOperation<ArnInput> {
  return {
    name: 'DeleteOpenIDConnectProvider',
    isReadOnly: false,
    access: (_, { OpenIDConnectProviderArn: resource }) => [{ action: 'iam:DeleteOpenIDConnectProvider', resource }],
    decide: async ({ account }, { OpenIDConnectProviderArn: arn }) => {
      const found = await needProvider(deps, account, arn);
      return { output: {}, ...deps.identities.save([removed(found)]) };
    },
  };
}
