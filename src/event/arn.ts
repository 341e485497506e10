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
  const service = text.indexOf(':', 4) + 1;
  const region = service === 0 ? 0 : text.indexOf(':', service) + 1;
  const account = region === 0 ? 0 : text.indexOf(':', region) + 1;
  const resource = account === 0 ? 0 : text.indexOf(':', account) + 1;
  const isComplete = resource !== 0 && resource < text.length && service > 5 && region > service + 1;
  if (!isComplete) return undefined;
  return {
    partition: text.slice(4, service - 1),
    service: text.slice(service, region - 1),
    region: text.slice(region, account - 1),
    account: text.slice(account, resource - 1),
    resource: text.slice(resource),
  };
}

/** Writes the parts as one text. */
export function formatArn({ partition, service, region, account, resource }: Arn): string {
  return `arn:${partition}:${service}:${region}:${account}:${resource}`;
}

/**
 * The name that people use for the resource of an ARN: its last segment.
 *
 * Names with slashes stay whole: S3 keys, log groups, secrets, parameters.
 * A text that is no ARN, or one that names nothing, is its own name.
 */
export function resourceNameOf(text: string): string {
  const arn = parseArn(text);
  if (arn === undefined) return text;
  const { service, resource } = arn;
  switch (service) {
    case 's3': {
      const slash = resource.indexOf('/');
      if (slash !== -1 && slash < resource.length - 1) return resource.slice(slash + 1);
      return resource.replace(/\/$/, '') || text;
    }
    case 'logs':
      return /^log-group:([^:]+)/.exec(resource)?.[1] ?? lastSegment(resource);
    case 'secretsmanager':
      return resource.replace(/^secret:/, '') || text;
    case 'ssm':
      return resource.startsWith('parameter/') ? parameterName(resource.slice('parameter/'.length)) || text : lastSegment(resource);
    default:
      return lastSegment(resource);
  }
}

function lastSegment(resource: string): string {
  let end = resource.length;
  while (end > 0 && isSeparator(resource[end - 1])) end--;
  let from = end;
  while (from > 0 && !isSeparator(resource[from - 1])) from--;
  return resource.slice(from, end) || resource;
}

function isSeparator(character: string | undefined): boolean {
  return character === '/' || character === ':';
}

/** A parameter in a hierarchy begins with a slash in the API, which its ARN leaves out. */
function parameterName(path: string): string {
  return path.includes('/') ? `/${path}` : path;
}
