/**
 * What is checked of every outbound request before anything is resolved or sent (A81).
 *
 * URL, header values and body are untrusted: they come from rules, trails and imports that users make.
 */
import { OutboundRefused, type OutboundRequest } from '../outbound.ts';

/** Decided by us or by Node; a caller who set them could smuggle a second request or another host. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'proxy-connection',
]);

/**
 * @returns The URL, in the one spelling that is used from here on.
 * @throws OutboundRefused
 * @throws RangeError when a limit is outside of what the interface allows.
 */
export function checkRequest(request: OutboundRequest): URL {
  const { timeoutMs, responseBytesMax } = request;
  if (!(timeoutMs >= 1 && timeoutMs <= 600_000)) throw new RangeError(`\`timeoutMs\` must be 1 to 600,000, not ${timeoutMs}`);
  if (!(responseBytesMax >= 0)) throw new RangeError(`\`responseBytesMax\` must be at least 0, not ${responseBytesMax}`);
  if (!['GET', 'PUT', 'POST', 'HEAD', 'DELETE'].includes(request.method))
    throw new OutboundRefused(`the method \`${request.method}\` is not allowed`);
  const url = readUrl(request.url);
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      throw new OutboundRefused(`the header name ${JSON.stringify(name.slice(0, 50))} is not allowed`);
    if (OWN_HEADERS.has(name.toLowerCase())) throw new OutboundRefused(`the header \`${name}\` is set by the client itself`);
    // Line ends would begin a header of the sender's choice; what is not Latin-1 cannot be sent.
    if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value))
      throw new OutboundRefused(`the value of header \`${name}\` holds a character that is not allowed`);
  }
  return url;
}

function readUrl(text: string): URL {
  // The URL parser drops line ends and tabs without a word.
  if (/[\u0000-\u0020\u007f]/.test(text)) throw new OutboundRefused('a URL holds no white space and no control characters');
  if (!URL.canParse(text)) throw new OutboundRefused(`\`${text.slice(0, 200)}\` is not a URL`);
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new OutboundRefused(`only http and https are allowed, not \`${url.protocol}\``);
  if (url.username !== '' || url.password !== '') throw new OutboundRefused('a URL holds no credentials');
  return url;
}
