/**
 * Changes of the documents of identities, each with what it replaces: so that whoever saves one tells its fact as well.
 *
 * What is hashed in facts are the documents without their secrets, and without what a mere use changes of them.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { AccountId, Region } from '../event/types.ts';
import type { CatalogChange, CatalogDocument, CatalogKey } from '../store/catalog.ts';
import { entityArn, type PolicyDocument, policyArn, type RoleDocument } from './identity-documents.ts';
import { type OidcProvider, oidcArn } from './oidc-provider.ts';

/** Region of the facts: the service is a global one. */
const GLOBAL_REGION = 'us-east-1' as Region;

export interface DocumentChange extends CatalogChange {
  /** The document that is replaced; absent for a new one. */
  readonly before?: object | undefined;
  readonly value: object | undefined;
}

/** A document where there is none. */
export function added(key: CatalogKey, value: object): DocumentChange {
  return { key, value, expected: 0 };
}

/** A document as it is, written again: the change fails when another one came first. */
export function unchanged<T extends object>(found: CatalogDocument<T>): DocumentChange {
  return replaced(found, found.value);
}

/** The document with these members changed. */
export function changed<T extends object>(found: CatalogDocument<T>, members: Partial<T>): DocumentChange {
  return replaced(found, { ...found.value, ...members });
}

export function replaced<T extends object>({ key, value: before, version }: CatalogDocument<T>, value: T): DocumentChange {
  return { key, before, value, expected: version };
}

export function removed<T extends object>({ key, value: before, version }: CatalogDocument<T>): DocumentChange {
  return { key, before, value: undefined, expected: version };
}

/** What the facts of the changes say. A document whose settings stay what they are is no change: it was written again, or used. */
export function configurationOf(changes: readonly DocumentChange[]): readonly ConfigurationChange[] {
  return changes.flatMap(({ key, before, value: after }) => {
    // Written as it is, or taken away whatever it was: when a key was used last is no setting.
    if (before === after) return [];
    const one = before === undefined ? undefined : settingsOf(key, before);
    const other = after === undefined ? undefined : settingsOf(key, after);
    if (isDeepStrictEqual(one, other)) return [];
    if (one === undefined || other === undefined || one.resource === other.resource)
      return [{ ...(one ?? other)!, before: one?.settings, after: other?.settings }].map(withoutSettings);
    // Another path or another case of the name is another resource.
    return [
      { ...one, before: one.settings },
      { ...other, after: other.settings },
    ].map(withoutSettings);
  });
}

interface Settings extends Pick<ConfigurationChange, 'resource' | 'part' | 'account' | 'region'> {
  readonly settings: object;
}

function withoutSettings<T extends Settings>({ settings: _, ...change }: T): Omit<T, 'settings'> {
  return change;
}

/** What a document of the catalog is called, and what of it is hashed. */
function settingsOf([kind, ...names]: CatalogKey, document: object): Settings {
  const place = { account: (document as { readonly account: AccountId }).account, region: GLOBAL_REGION };
  switch (kind) {
    case 'iam-user':
    case 'iam-group':
    case 'iam-role':
      return { ...place, resource: entityArn(document as RoleDocument), settings: document };
    case 'iam-policy':
      return { ...place, resource: policyArn(document as PolicyDocument), settings: document };
    case 'oidc-provider':
      return { ...place, resource: oidcArn(place.account, (document as OidcProvider).host), settings: document };
    case 'mfa-device': {
      const { wrappedSecret: _, usedStep: __, ...settings } = document as Record<string, unknown>;
      return { ...place, resource: String(names[1]), settings };
    }
    case 'access-key': {
      const { wrappedSecret: _, ...settings } = document as Record<string, unknown>;
      return { ...place, resource: `arn:aws:iam::${place.account}:access-key/${names[0]}`, settings };
    }
    case 'account':
      return { ...place, resource: `arn:aws:iam::${place.account}:root`, settings: document };
  }
  assert.fail(`what a document of the kind ${kind} is called in facts is not known`);
}
