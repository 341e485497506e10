/**
 * What an operation is: a name, a decision, and what the decision would change.
 *
 * An operation first *decides*: it checks the input, computes the answer, and says what is to be changed. Only when
 * the record of the call is durable does the dispatcher carry the change out (`reliability.md` F37: a mutating call
 * whose record cannot be made durable is refused, and nothing has changed).
 *
 * Relies on nothing: protocols live in `http/`, storage behind the interfaces in `store/`.
 */
import type { AccountId, EpochMs, EventResource, JsonObject, Region } from '../event/types.ts';
import type { AccessRequest } from './access.ts';
import type { ApiError } from './api-error.ts';
import type { ConfigurationChange } from './configuration-change.ts';

/** Who calls. */
export interface Principal {
  /** `userIdentity.type` of the call's own event. */
  readonly type: 'Root' | 'IAMUser' | 'AssumedRole' | 'WebIdentityUser';
  readonly account: AccountId;
  readonly arn: string;
  readonly principalId: string;
  readonly accessKeyId: string;
  readonly userName?: string;
  /** Set for temporary keys. */
  readonly session?: PrincipalSession;
  /** ARN of the provider that says who a `WebIdentityUser` is. */
  readonly identityProvider?: string;
  /**
   * True for the root of the installation's first account, and for those of its users and roles that a policy allows
   * `snowtrail:ReachAllAccounts`: what operations do and show is not bounded by their own account then (DESIGN §6). Which operations
   * they may call at all, policies say as for everybody.
   */
  readonly isAdministrator: boolean;
  /** Set for the other users and roles of the first account: what the operator configured for the installation is theirs. */
  readonly isOfFirstAccount?: true;
}

/** What temporary keys carry with them. */
export interface PrincipalSession {
  readonly issuedAtMs: EpochMs;
  /** When a second factor was shown for the keys; absent: none was. */
  readonly mfaAuthenticatedAtMs?: EpochMs;
  /** Who is behind the role, as the first session of the chain said; it cannot be changed later. */
  readonly sourceIdentity?: string;
  /**
   * Who began the chain of roles: id of the user, or provider and subject of a web identity. Nobody chooses it, unlike a source
   * identity. Absent for keys of a user or a root, which say it themselves.
   */
  readonly startedBy?: string;
  /** Session tags, with those that were passed on. */
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  /** Keys of the tags that are passed on to the next role. */
  readonly transitiveTagKeys: readonly string[];
  /** Policies that narrow the session; absent: none was given. */
  readonly policies?: { readonly inline?: string; readonly arns: readonly string[] };
  /** The role that was assumed; absent for keys of a user or a root. */
  readonly role?: { readonly name: string; readonly id: string; readonly arn: string };
  /** ARN of the provider whose token the session began with. */
  readonly federatedProvider?: string;
}

/** One authenticated call. */
export interface Call {
  readonly principal: Principal;
  /** The account that owns the call: the principal's. Everything an operation touches is looked up under it. */
  readonly account: AccountId;
  /** The Region of the signature's scope. */
  readonly region: Region;
  readonly requestId: string;
  readonly sourceIpAddress: string;
  /** The client came by TLS. Absent: it did not. */
  readonly isSecure?: boolean;
  readonly userAgent: string;
  readonly receivedAtMs: EpochMs;
}

/**
 * Lets a call through.
 * @throws ApiError `AccessDeniedException` (or `AccessDenied`, where the protocol says so) when one of the requests is not allowed.
 */
export type Authorize = (call: Call, requests: readonly AccessRequest[]) => Promise<void>;

/** A change that makes smaller what is delivered, or how long it is kept; decided and not carried out yet. */
export interface Narrowing {
  readonly call: Call;
  readonly record: { readonly eventSource: string; readonly eventName: string; readonly requestParameters: JsonObject | null };
  readonly narrows: string;
}

/** A change that is saved once the record that tells of it is durable. */
export interface ApprovalChange {
  readonly changes: readonly ConfigurationChange[];
  readonly save: () => Promise<void>;
}

/** Whether it may be carried out now. */
export type GuardVerdict =
  | { readonly kind: 'free' }
  /** `use` takes the approval before the change. @throws ApiError ConflictException. `giveBack` returns it when the change failed; `undefined`: its time is over. */
  | {
      readonly kind: 'granted';
      readonly additionalEventData: JsonObject;
      readonly use: ApprovalChange;
      readonly giveBack: () => ApprovalChange | undefined;
    }
  /** `asked` keeps that it was asked for; absent: it was before. */
  | { readonly kind: 'refused'; readonly error: ApiError; readonly asked?: ApprovalChange };

/** Asks whether a narrowing needs somebody's approval. */
export type Guard = (narrowing: Narrowing) => Promise<GuardVerdict>;

/** What an operation decided. */
export interface Decision<Output> {
  /** The answer, in the shape of the service's model. */
  readonly output: Output;
  /** Carries the change out. Absent for reads. Throws `ApiError` when another change came first. */
  readonly apply?: () => Promise<void>;
  /** What `apply` changes of the configuration, with a fact of each beside the record. Absent: nothing, or `apply` appends the fact itself. */
  readonly changes?: readonly ConfigurationChange[];
  /** What of the record gets smaller when the change is carried out, as a clause: `the trail main stops delivering`. Absent: nothing. */
  readonly narrows?: string;
  /** Resources for `resources[]` of the call's own event. */
  readonly resources?: readonly (EventResource & { readonly account?: AccountId })[];
  /** `requestParameters` of the call's own event where it differs from the lower-camel input (secrets left out). */
  readonly requestParameters?: JsonObject | null;
  /** What the call's own event shows beside input and output. Its owner's alone. */
  readonly additionalEventData?: JsonObject;
  /** Accounts beside the caller's that get a copy of the event: the owners of resources, such as of a role that was assumed. */
  readonly copyTo?: readonly AccountId[];
  /** `responseElements` of the call's own event; absent means `null` for a read and the lower-camel output for a write. */
  readonly responseElements?: JsonObject | null;
}

/** How long a stock client may repeat a call with one signature, in milliseconds: it was signed within one second. */
export const REPEATS_MS = 3_000;

/** One operation of a service that speaks AWS JSON 1.1 or the query protocol. */
export interface Operation<Input = never, Output = unknown> {
  /** Wire name, such as `CreateTrail`. */
  readonly name: string;
  /** `readOnly` of the call's own event: true for operations that change nothing. */
  readonly isReadOnly: boolean;
  /** A read that hands out keys: like a change, it is refused when it cannot be recorded. */
  readonly isRecordRequired?: boolean;
  /**
   * The same signed request is carried out once (A04): set where a second run would undo what came between the two, or
   * answer with a secret. Clients that repeat a call sign it anew, but botocore's signature is the same within one second: a
   * call of a stock client is let through for `REPEATS_MS` after its first use, so that a lost answer can be asked for again.
   */
  readonly refusesReplay?: { readonly afterMs: number };
  /**
   * Finds out who calls by what is sent: the call needs no signature, and whoever signs it is not its caller.
   * @throws ApiError when it cannot be found out; such a request is a stranger's, and is not recorded.
   */
  readonly identify?: (input: Input) => Promise<Principal>;
  /**
   * What the caller must be allowed; asked before `decide`. Absent: the action of the operation's name on `*`.
   * @throws ApiError when the input cannot be read: a malformed name is refused as such, and not as forbidden.
   */
  readonly access?: (call: Call, input: Input) => readonly AccessRequest[] | Promise<readonly AccessRequest[]>;
  /** Decides the call. @throws ApiError with the service's code. */
  readonly decide: (call: Call, input: Input) => Promise<Decision<Output>>;
}

/** All operations of one service by wire name. A `Map`, so that `constructor` and `__proto__` are just unknown names (A62). */
// biome-ignore lint/suspicious/noExplicitAny: each operation has its own input type, checked by shape before it is called.
export type OperationTable = ReadonlyMap<string, Operation<any, unknown>>;
