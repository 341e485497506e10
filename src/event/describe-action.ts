/**
 * What was done, in words: a verb in the past tense and what it was done to, from the name of an API.
 *
 * API names are verb and noun run together (`DeleteBucketPolicy`). The verb is looked up; a name that begins with none of
 * the verbs is called by its name.
 */

/** An API name in words. */
export interface ActionWords {
  /** Such as `deleted`; `called` where the verb is not known. */
  readonly verb: string;
  /** Such as `bucket policy`; the API's name where the verb is not known; empty where the name is a verb alone. */
  readonly noun: string;
  /** What joins the thing done and the thing that it was done to: set a policy `on` a bucket, attached one `to` a role. */
  readonly preposition: Preposition;
  /** Of a verb alone, what joins it and the thing: decrypted `with` a key; empty: invoked a function. */
  readonly alone: Preposition | '';
}

type Preposition = 'of' | 'on' | 'to' | 'from' | 'with';

/** API verbs: past tense, and the preposition where it is not `of`. */
const VERBS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    Abort: 'aborted',
    Accept: 'accepted',
    Activate: 'activated',
    Add: 'added to',
    Allocate: 'allocated',
    Apply: 'applied on',
    Approve: 'approved',
    Archive: 'archived',
    Assign: 'assigned to',
    Associate: 'associated with',
    Attach: 'attached to',
    Authorize: 'authorized on',
    Cancel: 'cancelled',
    Change: 'changed',
    Check: 'checked',
    Close: 'closed',
    Complete: 'completed',
    Configure: 'configured',
    Confirm: 'confirmed',
    Connect: 'connected to',
    Copy: 'copied',
    Create: 'created',
    Deactivate: 'deactivated',
    Decode: 'decoded',
    Decrypt: 'decrypted with',
    Delete: 'deleted',
    Deploy: 'deployed',
    Deregister: 'deregistered',
    Derive: 'derived',
    Describe: 'described',
    Detach: 'detached from',
    Disable: 'disabled',
    Disassociate: 'disassociated from',
    Download: 'downloaded',
    Enable: 'enabled on',
    Encrypt: 'encrypted with',
    Execute: 'executed on',
    Export: 'exported',
    Failover: 'failed over',
    Generate: 'generated',
    Get: 'read',
    Head: 'inspected',
    Import: 'imported',
    Initiate: 'initiated',
    Invite: 'invited',
    Invoke: 'invoked',
    Issue: 'issued',
    Leave: 'left',
    List: 'listed',
    Lock: 'locked',
    Lookup: 'looked up',
    Merge: 'merged',
    Modify: 'modified',
    Move: 'moved',
    Pause: 'paused',
    Post: 'posted',
    Promote: 'promoted',
    Publish: 'published to',
    Purchase: 'purchased',
    Purge: 'purged',
    Put: 'set on',
    Query: 'queried',
    Reboot: 'rebooted',
    Receive: 'received from',
    Refresh: 'refreshed',
    Register: 'registered',
    Reject: 'rejected',
    Release: 'released',
    Remove: 'removed from',
    Renew: 'renewed',
    Replace: 'replaced',
    Replicate: 'replicated',
    Request: 'requested',
    Reset: 'reset',
    Resize: 'resized',
    Restore: 'restored',
    Resume: 'resumed',
    Retire: 'retired',
    Revoke: 'revoked on',
    Rotate: 'rotated',
    Run: 'launched',
    Scan: 'scanned',
    Schedule: 'scheduled',
    Search: 'searched',
    Select: 'selected',
    Send: 'sent to',
    Set: 'set on',
    Share: 'shared',
    Sign: 'signed with',
    Simulate: 'simulated',
    Start: 'started',
    Stop: 'stopped',
    Submit: 'submitted',
    Subscribe: 'subscribed to',
    Suspend: 'suspended',
    Tag: 'tagged',
    Terminate: 'terminated',
    Test: 'tested',
    Transfer: 'transferred',
    Unassign: 'unassigned from',
    Unlock: 'unlocked',
    Unsubscribe: 'unsubscribed from',
    Untag: 'untagged',
    Update: 'updated',
    Upgrade: 'upgraded',
    Upload: 'uploaded to',
    Validate: 'validated',
    Verify: 'verified with',
    View: 'viewed',
  }),
);

/** Names whose verb means something else than elsewhere. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['GenerateDataKey', 'generated with'],
  ['GenerateDataKeyPair', 'generated with'],
  ['GenerateDataKeyPairWithoutPlaintext', 'generated with'],
  ['GenerateDataKeyWithoutPlaintext', 'generated with'],
  ['GenerateMac', 'generated with'],
  ['PutEvents', 'sent to'],
  ['PutItem', 'wrote to'],
  ['PutLogEvents', 'wrote to'],
  ['PutObject', 'wrote to'],
  ['PutRecord', 'wrote to'],
  ['PutRecords', 'wrote to'],
  ['RunInstances', 'launched'],
]);

const PREPOSITION = / (on|to|from|with)$/;
const JOINING = '(at|by|for|from|of|on|to|via|with|without)';
/** Words that join what is left and right of them, and have nothing at one side. */
const DANGLING = new RegExp(`\\b${JOINING}( ${JOINING}\\b|$)`);

/** The words of an untrusted API name. */
export function describeAction(eventName: string): ActionWords {
  // Lambda's names carry the version of the API that they came with: `CreateFunction20150331`, `…v2`.
  const name = eventName.replace(/[0-9]{8}(v[0-9]+)?$/, '');
  const words = splitWords(name);
  const noun = words.slice(1).map(wordInSentence).join(' ');
  // Hosted pages log names such as `Login_GET`, which are no verb and noun.
  const isInWords = /^[A-Za-z0-9]+$/.test(eventName) && !DANGLING.test(noun.toLowerCase());
  const entry = isInWords ? (NAMES.get(name) ?? VERBS.get(words[0] ?? '')) : undefined;
  if (entry === undefined) return { verb: 'called', noun: eventName, preposition: 'on', alone: '' };
  const joined = PREPOSITION.exec(entry)?.[1] as Preposition | undefined;
  return { verb: entry.replace(PREPOSITION, ''), noun, preposition: joined ?? 'of', alone: joined ?? '' };
}

/** The label of a resource type: `AWS::EC2::SecurityGroup` is a `security group`. */
export function typeLabel(type: string): string {
  const name = type.slice(type.lastIndexOf(':') + 1);
  return splitWords(name).map(wordInSentence).join(' ');
}

/** `DBClusterSnapshot` to `DB`, `Cluster`, `Snapshot`. */
function splitWords(name: string): string[] {
  return name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+/g) ?? [];
}

/** Acronyms that some names write as words: `Vpc`. */
const ACRONYMS: ReadonlySet<string> = new Set(
  'acl ami api arn aws cidr cors dhcp dkim dns ebs ecr ecs efs eip eks hsm iam id ip ipam kms mac mfa nat rds saml sms sns sqs ssh ssl ssm sso tls url vpc vpn'.split(
    ' ',
  ),
);

function wordInSentence(word: string): string {
  const isAcronym = word.length > 1 && word === word.toUpperCase();
  if (isAcronym) return word;
  const small = word.toLowerCase();
  const [, singular = small, plural = ''] = /^(.+?)(s?)$/.exec(small) ?? [];
  if (ACRONYMS.has(small)) return small.toUpperCase();
  return ACRONYMS.has(singular) ? `${singular.toUpperCase()}${plural}` : small;
}
