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
  readonly preposition: 'of' | 'on' | 'to' | 'from';
}

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
    Associate: 'associated to',
    Attach: 'attached to',
    Authorize: 'authorized on',
    Cancel: 'cancelled',
    Change: 'changed',
    Check: 'checked',
    Close: 'closed',
    Complete: 'completed',
    Configure: 'configured',
    Confirm: 'confirmed',
    Connect: 'connected',
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
    Execute: 'executed',
    Export: 'exported',
    Failover: 'failed over',
    Generate: 'generated',
    Get: 'read',
    Head: 'looked at',
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
    Publish: 'published',
    Purchase: 'purchased',
    Put: 'set on',
    Query: 'queried',
    Reboot: 'rebooted',
    Receive: 'received',
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
    Unlock: 'unlocked',
    Unsubscribe: 'unsubscribed from',
    Untag: 'untagged',
    Update: 'updated',
    Upgrade: 'upgraded',
    Upload: 'uploaded',
    Validate: 'validated',
    Verify: 'verified',
    View: 'viewed',
  }),
);

const PREPOSITION = / (on|to|from|with)$/;

/** The words of an untrusted API name. */
export function describeAction(eventName: string): ActionWords {
  // Lambda's names carry the version of the API that they came with: `CreateFunction20150331`, `…v2`.
  const words = splitWords(eventName.replace(/[0-9]{8}(v[0-9]+)?$/, ''));
  // Hosted pages log names such as `Login_GET`, which are no verb and noun.
  const entry = /^[A-Za-z0-9]+$/.test(eventName) ? VERBS.get(words[0] ?? '') : undefined;
  if (entry === undefined) return { verb: 'called', noun: eventName, preposition: 'on' };
  const joined = PREPOSITION.exec(entry)?.[1];
  const preposition = joined === 'on' || joined === 'to' || joined === 'from' ? joined : 'of';
  const noun = words.slice(1).map(lowerUnlessAcronym).join(' ');
  // `Decrypt` and its like are done with a key and have no noun of their own.
  const verb = joined === 'with' && noun === '' ? entry : entry.replace(PREPOSITION, '');
  return { verb, noun, preposition };
}

/** The label of a resource type: `AWS::EC2::SecurityGroup` is a `security group`. */
export function typeLabel(type: string): string {
  const name = type.slice(type.lastIndexOf(':') + 1);
  return splitWords(name).map(lowerUnlessAcronym).join(' ');
}

/** `DBClusterSnapshot` to `DB`, `Cluster`, `Snapshot`. */
function splitWords(name: string): string[] {
  return name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+/g) ?? [];
}

function lowerUnlessAcronym(word: string): string {
  return word.length > 1 && word === word.toUpperCase() ? word : word.toLowerCase();
}
