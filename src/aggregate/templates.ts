/**
 * The templates that data events are aggregated by: each counts them by another dimension first.
 *
 * Source: CloudTrail User Guide, "Aggregating data events"; cloudtrail.md §1.9, §4.4.
 */
import type { Dimension } from './dimensions.ts';

/** In the order in which they are listed. */
export const TEMPLATES = ['API_ACTIVITY', 'RESOURCE_ACCESS', 'USER_ACTIONS'] as const;

export type AggregationTemplate = (typeof TEMPLATES)[number];

/** There is one aggregated event for each value of it. */
export const PRIMARY_DIMENSION: Readonly<Record<AggregationTemplate, Dimension>> = {
  API_ACTIVITY: 'eventName',
  RESOURCE_ACCESS: 'resourceARN',
  USER_ACTIONS: 'userIdentity',
};
