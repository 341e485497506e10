/**
 * Reads what the calls of operations that are not built name: trails as the trails read them, all else by its form.
 */
import { ApiError } from '../api/api-error.ts';
import { type ReadResource, readDashboard, readUuidResource } from '../api/resource-rule.ts';
import { trailArn } from '../trail/trail.ts';
import { parseTrailReference } from '../trail/trail-name.ts';

/** Of CloudTrail. @throws ApiError with the code of the kind */
export const readControlResource: ReadResource = (kind, text, call) => {
  switch (kind) {
    case 'trail': {
      const reference = parseTrailReference(text);
      return reference.kind === 'arn' ? reference.arn : trailArn({ account: call.account, homeRegion: call.region, name: reference.name });
    }
    case 'eventdatastore':
      return readUuidResource(kind, text, call, 'EventDataStoreARNInvalidException');
    case 'channel':
      return readUuidResource(kind, text, call, 'ChannelARNInvalidException');
    case 'dashboard':
      return readDashboard(text, call);
    case 'arn':
      if (/^arn:aws:cloudtrail:[a-z0-9-]{1,32}:\d{12}:[a-z]+\/./.test(text)) return text;
      throw new ApiError('InvalidParameterException', `The ARN is not valid: it is one of CloudTrail, and not \`${text.slice(0, 256)}\`.`);
  }
};

/** Of CloudTrail Data, whose only resource is a channel. @throws ApiError InvalidChannelARN */
export const readDataResource: ReadResource = (_kind, text, call) => readUuidResource('channel', text, call, 'InvalidChannelARN');
