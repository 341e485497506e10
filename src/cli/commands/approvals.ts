/**
 * `snowtrail approvals`: changes that make the record smaller, and wait for a second person or a delay.
 */
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { shortTime } from '../event-view.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';

interface ApprovalOptions extends GlobalOptions {
  readonly for?: string;
  readonly all?: boolean;
}

interface Approval {
  readonly ApprovalId: string;
  readonly Account: string;
  readonly EventName: string;
  readonly Narrows: string;
  readonly RequestedBy: string;
  readonly RequestedAt: string;
  readonly State: string;
  readonly NotBefore?: string;
  readonly EndsAt: string;
}

export function addApprovals(program: Command): void {
  const approvals = program.command('approvals').description('changes that wait for a second person: list, approve, reject');
  addExamples(approvals, ['approvals list', 'approvals approve apr-0123456789abcdef0123456789abcdef']);
  approvals
    .command('list')
    .description('list the changes that wait, and those that were decided')
    .option('--all', 'also those that are used, rejected or expired')
    .action(async (_: object, self: Command) => listApprovals(self.optsWithGlobals<ApprovalOptions>()));
  for (const [verb, operation] of [
    ['approve', 'ApproveChange'],
    ['reject', 'RejectChange'],
  ] as const) {
    approvals
      .command(verb)
      .description(verb === 'approve' ? 'be the second person for a change' : 'refuse a change, also one that is approved')
      .argument('<approval>', 'id of the approval')
      .option('--for <account>', "account of the change (default: the caller's own)")
      .action(async (id: string, _: object, self: Command) => decide(self.optsWithGlobals<ApprovalOptions>(), operation, id));
  }
}

async function listApprovals(options: ApprovalOptions): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const { Approvals } = await client.call<{ Approvals: readonly Approval[] }>('ListApprovals', { AllAccounts: true });
  const shown = Approvals.filter(({ State }) => options.all === true || State === 'pending' || State === 'approved');
  await printRows(
    options,
    [
      { heading: 'approval', cell: (each) => each.ApprovalId },
      { heading: 'account', cell: (each) => each.Account },
      { heading: 'call', cell: (each) => each.EventName },
      { heading: 'what gets smaller', cell: (each) => each.Narrows },
      { heading: 'asked by', cell: (each) => each.RequestedBy },
      { heading: 'state', cell: (each) => each.State },
      { heading: 'until', cell: (each) => shortTime(each.EndsAt) },
    ],
    shown,
  );
  if (shown.length === 0) say(options, 'no change waits; `--all` shows those that were decided');
}

async function decide(options: ApprovalOptions, operation: 'ApproveChange' | 'RejectChange', id: string): Promise<void> {
  const client = new Client(await findServer(options));
  const account = options.for === undefined ? {} : { Account: options.for };
  const { Approval: approval } = await client.call<{ Approval: Approval }>(operation, { ApprovalId: id, ...account });
  const asker = safeText(approval.RequestedBy);
  const flag = options.for === undefined ? '' : ` --for ${safeText(options.for)}`;
  if (operation === 'RejectChange')
    return say(options, `${safeText(id)} is rejected: ${safeText(approval.Narrows)} does not happen; next: snowtrail approvals list`);
  say(
    options,
    `${safeText(id)} is approved from ${safeText(approval.NotBefore ?? '')}: ${asker} may send the call again until ${safeText(approval.EndsAt)}`,
  );
  say(options, `undo: snowtrail approvals reject ${safeText(id)}${flag}`);
}
