/**
 * Selections that trails are given, and what each takes, written down here without the server's rules.
 */
import type { JsonObject } from '../../src/event/types.ts';

export type SelectionName = keyof typeof SELECTIONS;

/** What is looked at of a record. */
export interface Chosen {
  readonly eventCategory: string;
  readonly eventSource: string;
  readonly readOnly?: boolean;
  readonly resources?: readonly { readonly type?: string; readonly ARN?: string }[];
}

/** Below it lies what the selection `Objects` takes. */
export const CHOSEN_PREFIX = 'arn:aws:s3:::simulated/chosen/';

export const SELECTIONS = {
  All: {
    input: { EventSelectors: [{ ReadWriteType: 'All', IncludeManagementEvents: true }] } as JsonObject,
    takes: ({ eventCategory }: Chosen) => eventCategory === 'Management',
  },
  ReadOnly: {
    input: { EventSelectors: [{ ReadWriteType: 'ReadOnly', IncludeManagementEvents: true }] } as JsonObject,
    takes: ({ eventCategory, readOnly }: Chosen) => eventCategory === 'Management' && readOnly === true,
  },
  WriteOnly: {
    input: {
      EventSelectors: [{ ReadWriteType: 'WriteOnly', IncludeManagementEvents: true, ExcludeManagementEventSources: ['kms.amazonaws.com'] }],
    } as JsonObject,
    takes: ({ eventCategory, readOnly, eventSource }: Chosen) =>
      eventCategory === 'Management' && readOnly !== true && eventSource !== 'kms.amazonaws.com',
  },
  Objects: {
    input: {
      AdvancedEventSelectors: [
        {
          FieldSelectors: [
            { Field: 'eventCategory', Equals: ['Data'] },
            { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
            { Field: 'resources.ARN', StartsWith: [CHOSEN_PREFIX] },
          ],
        },
      ],
    } as JsonObject,
    takes: ({ eventCategory, resources = [] }: Chosen) =>
      eventCategory === 'Data' && resources.some(({ type, ARN }) => type === 'AWS::S3::Object' && ARN!.startsWith(CHOSEN_PREFIX)),
  },
} as const;

export const SELECTION_NAMES = Object.keys(SELECTIONS) as SelectionName[];

/** Which one the server shows. A trail that was given none shows the default in the advanced form. */
export function selectionShown(output: JsonObject): SelectionName {
  const given = output['EventSelectors'] as readonly { readonly ReadWriteType: SelectionName }[] | undefined;
  return given?.[0]?.ReadWriteType ?? (JSON.stringify(output).includes(CHOSEN_PREFIX) ? 'Objects' : 'All');
}
