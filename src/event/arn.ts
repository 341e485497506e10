/**
 * Amazon Resource Names, taken apart.
 *
 * Untrusted text: an ARN in a record says what its writer wrote. Nothing is looked up, nothing is normalised.
 * Source: AWS General Reference, "Amazon Resource Names (ARNs)"; cloudtrail.md §0.3.
 */

/** `arn:partition:service:region:account:resource`; Region and account may be empty, as in S3's. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  /** All after the fifth colon, such as `trail/main` or `log-group:/aws/lambda/x:*`. */
  readonly resource: string;
}

/** The parts of an ARN; `undefined` when the text is not one. */
export function parseArn(text: string): Arn | undefined {
  if (!text.startsWith('arn:')) return undefined;
  const parts = text.split(':');
  const [, partition, service, region, account] = parts;
  if (parts.length < 6 || !partition || !service || region === undefined || account === undefined) return undefined;
  const resource = parts.slice(5).join(':');
  return resource === '' ? undefined : { partition, service, region, account, resource };
}

/** Writes the parts as one text. */
export function formatArn({ partition, service, region, account, resource }: Arn): string {
  return `arn:${partition}:${service}:${region}:${account}:${resource}`;
}

/**
 * The name that people use for the resource of an ARN: its last segment.
 *
 * Names with slashes stay whole: S3 keys, log groups, secrets, parameters.
 * A text that is no ARN is its own name.
 */
export function resourceNameOf(text: string): string {
  const arn = parseArn(text);
  if (arn === undefined) return text;
  const { service, resource } = arn;
  switch (service) {
    case 's3': {
      const slash = resource.indexOf('/');
      return slash === -1 || slash === resource.length - 1 ? resource.replace(/\/$/, '') : resource.slice(slash + 1);
    }
    case 'logs':
      return /^log-group:([^:]+)/.exec(resource)?.[1] ?? lastSegment(resource);
    case 'secretsmanager':
      return resource.replace(/^secret:/, '');
    case 'ssm':
      return resource.startsWith('parameter/') ? parameterName(resource.slice('parameter/'.length)) : lastSegment(resource);
    default:
      return lastSegment(resource);
  }
}

function lastSegment(resource: string): string {
  const trimmed = resource.replace(/[/:]+$/, '');
  const cut = Math.max(trimmed.lastIndexOf('/'), trimmed.lastIndexOf(':'));
  return trimmed.slice(cut + 1) || resource;
}

/** A parameter in a hierarchy begins with a slash in the API, which its ARN leaves out. */
function parameterName(path: string): string {
  return path.includes('/') ? `/${path}` : path;
}
