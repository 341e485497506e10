/**
 * Writes and reads the small XML documents of S3 and STS.
 *
 * The reader takes what S3 clients send and nothing more: elements, text, character references, a declaration,
 * comments, CDATA. It refuses document types and processing instructions, so there are no entities to expand, and
 * keeps limits on depth and elements. Its input is untrusted.
 */
import { ApiError } from '../api/api-error.ts';

/** What an element holds when written: text, one element, several; `undefined` leaves the element out. */
export type XmlValue = string | number | boolean | undefined | XmlFields | readonly XmlFields[];
export interface XmlFields {
  readonly [name: string]: XmlValue | readonly string[];
}

/**
 * A whole document with one outer element.
 * @param namespace Value of `xmlns`; absent writes none.
 */
export function xmlDocument(name: string, fields: XmlFields, namespace?: string): string {
  const attribute = namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${attribute}>${xmlFields(fields)}</${name}>`;
}

/** A whole document whose outer element holds text only. */
export function xmlTextDocument(name: string, text: string, namespace: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${escapeXml(namespace)}">${escapeXml(text)}</${name}>`;
}

function xmlFields(fields: XmlFields): string {
  let text = '';
  for (const [name, value] of Object.entries(fields)) text += xmlElement(name, value);
  return text;
}

function xmlElement(name: string, value: XmlValue | readonly string[]): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item: string | XmlFields) => xmlElement(name, item)).join('');
  const inner = typeof value === 'object' ? xmlFields(value as XmlFields) : escapeXml(String(value));
  // An attribute of the element itself: only S3's grantee has one.
  if (typeof value === 'object' && 'xsi:type' in value) {
    const { 'xsi:type': type, ...rest } = value as XmlFields;
    return `<${name} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${escapeXml(String(type))}">${xmlFields(rest)}</${name}>`;
  }
  return inner === '' ? `<${name}/>` : `<${name}>${inner}</${name}>`;
}

/**
 * Escapes text. Control characters, which XML 1.0 cannot hold, are written as references, as S3 does; clients that
 * meet such keys ask for `encoding-type=url`.
 */
export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"'\u0000-\u001f\u007f\ufffe\uffff]/g,
    (character) => ESCAPES[character] ?? `&#x${character.charCodeAt(0).toString(16)};`,
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** An element as it was read: its own text with that of CDATA, and its children in order. */
export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const DEPTH_MAX = 16;
const ELEMENTS_MAX = 100_000;

/** @throws ApiError MalformedXML */
export function parseXml(bytes: Uint8Array): XmlElement {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed('it is not UTF-8', cause);
  }
  return new Parser(text).document();
}

/** First child of that name. */
export function xmlChild(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** Text of the first child of that name, blanks around it removed. */
export function xmlText(element: XmlElement, name: string): string | undefined {
  return xmlChild(element, name)?.text.trim();
}

/** Text of the first child of that name exactly as it stands. */
export function xmlExactText(element: XmlElement, name: string): string | undefined {
  return xmlChild(element, name)?.text;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #elements = 0;

  constructor(text: string) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  document(): XmlElement {
    const declaration = /^\s*<\?xml\s[^?<>]*\?>/.exec(this.#text);
    this.#at = declaration?.[0].length ?? 0;
    this.#skipMisc();
    const root = this.#element(1);
    this.#skipMisc();
    if (this.#at !== this.#text.length) throw malformed('there is more after the outer element');
    return root;
  }

  #element(depth: number): XmlElement {
    if (depth > DEPTH_MAX) throw malformed(`it is nested deeper than ${DEPTH_MAX} levels`);
    if (++this.#elements > ELEMENTS_MAX) throw malformed(`it has more than ${ELEMENTS_MAX} elements`);
    OPEN.lastIndex = this.#at;
    const open = OPEN.exec(this.#text);
    if (open === null) throw malformed(`an element was expected at character ${this.#at}`);
    this.#at = OPEN.lastIndex;
    const qualified = open[1]!;
    const name = qualified.slice(qualified.indexOf(':') + 1);
    if (open[2] === '/') return { name, text: '', children: [] };

    const children: XmlElement[] = [];
    let text = '';
    for (;;) {
      const next = this.#text.indexOf('<', this.#at);
      if (next < 0) throw malformed(`the element ${name} does not end`);
      text += unescapeXml(this.#text.slice(this.#at, next));
      this.#at = next;
      if (this.#text.startsWith('<![CDATA[', next)) text += this.#until('<![CDATA[', ']]>');
      else if (this.#text.startsWith('<!--', next)) this.#until('<!--', '-->');
      else if (this.#text.startsWith('</', next)) {
        CLOSE.lastIndex = next;
        const close = CLOSE.exec(this.#text);
        if (close?.[1] !== qualified) throw malformed(`the element ${name} is not closed by its own name`);
        this.#at = CLOSE.lastIndex;
        return { name, text, children };
      } else children.push(this.#element(depth + 1));
    }
  }

  #skipMisc(): void {
    for (;;) {
      while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at]!)) this.#at++;
      if (!this.#text.startsWith('<!--', this.#at)) return;
      this.#until('<!--', '-->');
    }
  }

  #until(open: string, close: string): string {
    const end = this.#text.indexOf(close, this.#at + open.length);
    if (end < 0) throw malformed(`${open} does not end`);
    const inner = this.#text.slice(this.#at + open.length, end);
    this.#at = end + close.length;
    return inner;
  }
}

/** An opening tag. Attributes are read over: in S3's documents they hold namespaces only. */
const OPEN = /<([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>/y;
const CLOSE = /<\/([A-Za-z_][\w.:-]*)\s*>/y;

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&]{0,12})(;?)/g, (_, name: string, end: string) => {
    const known = NAMED[name];
    if (end === ';' && known !== undefined) return known;
    const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
    const code = digits === null ? Number.NaN : Number.parseInt(digits[1] ?? digits[2]!, digits[1] === undefined ? 10 : 16);
    if (end !== ';' || !(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) throw malformed(`\`&${name}\` is no character`);
    return String.fromCodePoint(code);
  });
}

const NAMED: Readonly<Record<string, string>> = Object.assign(Object.create(null), { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" });

function malformed(reason: string, cause?: unknown): ApiError {
  const message = 'The XML you provided was not well-formed or did not validate against our published schema';
  return new ApiError('MalformedXML', `${message}: ${reason}`, { status: 400, cause });
}
