/**
 * Finds the operation that a request names, and runs it.
 *
 * Names are looked up in Maps and Sets only, so `constructor` and `__proto__` are just unknown names (A62). An
 * operation of the service's model that is not built yet is refused by its name, after its input was checked; an
 * unknown one is unknown.
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError, unsupported } from '../api/api-error.ts';
import type { CallRecord } from '../api/call-record.ts';
import { toRequestParameters, toResponseElements } from '../api/lower-camel.ts';
import type { Call, Decision, Operation } from '../api/operation.ts';
import type { Json, JsonObject } from '../event/types.ts';
import { parseQuery, type RequestParts } from './canonical-request.ts';
import type { Service } from './ports.ts';
import { readJsonObject } from './read-json.ts';
import { publicError } from './respond.ts';
import { type Recording, runCall } from './run-call.ts';
import type { Family } from './signature-refusal.ts';
import type { Use } from './used-signatures.ts';

/** What a request asks for, before its input is looked at. */
export interface NamedOperation {
  readonly name: string;
  /** Reads the input from the body. @throws ApiError SerializationException */
  readonly readInput: (body: Uint8Array) => Json;
}

export function familyOf(service: Service): Family {
  switch (service.protocol) {
    case 'aws-json':
    case 'snowtrail':
      return 'json';
    case 'rest-json':
      return 'rest-json';
    case 'query':
      return 'query';
  }
}

/**
 * The operation that the request names.
 * @param header A header's value, by lower-case name.
 * @throws ApiError UnknownOperationException, or InvalidAction for the query protocol.
 */
export function nameOperation(
  service: Service,
  parts: RequestParts,
  header: (name: string) => string | undefined,
  body: Uint8Array,
): NamedOperation {
  switch (service.protocol) {
    case 'aws-json': {
      const target = header('x-amz-target') ?? '';
      const isJson = /^application\/x-amz-json-1\.[01]\b/.test(header('content-type') ?? '');
      if (parts.method !== 'POST' || parts.path !== '/' || !isJson || target === '') throw unknownOperation(target);
      return { name: target.slice(target.lastIndexOf('.') + 1), readInput: readJsonObject };
    }
    case 'snowtrail': {
      const name = /^\/v1\/([A-Za-z0-9]{1,64})$/.exec(parts.path)?.[1];
      if (parts.method !== 'POST' || name === undefined) throw unknownOperation(parts.path);
      return { name, readInput: readJsonObject };
    }
    case 'rest-json': {
      const name = parts.path.slice(1);
      if (parts.method !== 'POST') throw unknownOperation(name);
      return { name, readInput: (bytes) => ({ ...readJsonObject(bytes), ...Object.fromEntries(parametersOf(parts)) }) };
    }
    case 'query':
      return nameAction(parts, header('content-type') ?? '', body);
  }
}

/** The parameters of the query string, but for those of a signature. @throws ApiError SerializationException */
function parametersOf({ query }: RequestParts): readonly (readonly [string, string])[] {
  try {
    return parseQuery(query).filter(([name]) => !name.startsWith('X-Amz-'));
  } catch (cause) {
    throw new ApiError('SerializationException', 'the parameters are not percent-encoded UTF-8', { cause });
  }
}

function nameAction(parts: RequestParts, contentType: string, body: Uint8Array): NamedOperation {
  const isForm = parts.method === 'POST' && contentType.startsWith('application/x-www-form-urlencoded');
  if (!isForm && parts.method !== 'GET' && parts.method !== 'POST') throw unknownAction('', '');
  let pairs: [string, string][];
  try {
    pairs = [...parseQuery(parts.query), ...(isForm ? parseQuery(Buffer.from(body).toString('latin1')) : [])];
  } catch (cause) {
    throw new ApiError('MalformedInput', 'the parameters are not percent-encoded UTF-8', { status: 400, cause });
  }
  const values = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (values.has(name)) throw new ApiError('MalformedInput', `the parameter \`${name.slice(0, 64)}\` is given twice`, { status: 400 });
    values.set(name, value);
  }
  const name = values.get('Action') ?? '';
  if (name === '') throw new ApiError('MissingAction', 'the request names no Action', { status: 400 });
  const input: Record<string, string> = Object.fromEntries(
    [...values].filter(([key]) => key !== 'Action' && key !== 'Version' && !key.startsWith('X-Amz-')),
  );
  return { name, readInput: () => input };
}

/** The request's signature, for a call that is carried out once. */
export interface SignedOnce {
  /** Marks it as used. @param afterMs how long after its first use it may be used again. */
  use(afterMs: number): Use;
  /** Takes its first use back. */
  giveBack(): void;
}

/** Of a call that the server makes itself: nobody can send it again. */
export const MADE_HERE: SignedOnce = { use: () => 'first', giveBack: () => undefined };

/**
 * Runs the operation in the order of `run-call.ts`.
 * @returns the output in the form of the service's JSON.
 * @throws ApiError
 */
export async function runOperation(
  recording: Recording,
  service: Service,
  call: Call,
  named: NamedOperation,
  sent: {
    readonly body: Uint8Array;
    readonly signed: SignedOnce;
  },
): Promise<Json> {
  const { name } = named;
  const operation = service.operations.get(name);
  if (operation === undefined && !service.modelled?.has(name))
    throw service.protocol === 'query' ? unknownAction(name, service.apiVersion ?? '') : unknownOperation(name);
  const isReadOnly = operation?.isReadOnly ?? /^(?:Get|List|Describe|Lookup|Search)/.test(name);
  const base = {
    call,
    eventSource: service.eventSource,
    eventName: name,
    ...(service.apiVersion === undefined ? {} : { apiVersion: service.apiVersion }),
    isReadOnly,
    ...(operation?.isRecordRequired === true ? { isRecordRequired: true } : {}),
    category: service.category ?? 'Management',
  };
  /** Kept for the record of a refusal: what was read before the operation said no. */
  let requestParameters: JsonObject | null = null;
  let use: Use | undefined;

  const run = runCall<Json>(
    recording,
    async () => {
      const json = named.readInput(sent.body);
      const input = (service.decodeInput?.(name, json) ?? json) as object;
      requestParameters = redact((service.recordInput ?? toRequestParameters)(name, input));
      service.checkInput?.(name, input);
      await recording.authorize(call, await accessOf(service, call, { name, operation, input }));
      if (operation === undefined) throw unsupported(name);
      if (operation.refusesReplay !== undefined) {
        use = sent.signed.use(operation.refusesReplay.afterMs);
        if (use === 'refused') throw replayed(name);
      }
      const decision: Decision<unknown> = await operation.decide(call, input as never);
      const record: CallRecord = {
        ...base,
        requestParameters: decision.requestParameters === undefined ? requestParameters : redact(decision.requestParameters),
        responseElements: redact(responseElements(service, { name, isReadOnly }, decision)),
        ...(decision.resources === undefined ? {} : { resources: decision.resources }),
        ...(decision.additionalEventData === undefined ? {} : { additionalEventData: decision.additionalEventData }),
        ...(decision.copyTo === undefined ? {} : { copyTo: decision.copyTo }),
        ...(decision.changes === undefined ? {} : { changes: decision.changes }),
      };
      return {
        record,
        narrows: decision.narrows,
        apply: async () => {
          await decision.apply?.();
          // The output may be filled in by `apply`.
          const output = decision.output ?? {};
          return service.encodeOutput === undefined ? (output as Json) : service.encodeOutput(name, output);
        },
      };
    },
    (error) => {
      const { code, message } = publicError(error, familyOf(service));
      return { ...base, requestParameters, responseElements: null, error: { code, message } };
    },
  );
  return run.catch((error: unknown) => {
    // It was not carried out: the client may send it again as it is.
    if (use === 'first') sent.signed.giveBack();
    throw error;
  });
}

/** What the call must be allowed. An operation that is not built yet is asked for by its name. */
function accessOf(
  { eventSource }: Service,
  call: Call,
  { name, operation, input }: { readonly name: string; readonly operation: Operation | undefined; readonly input: object },
): Promise<readonly AccessRequest[]> | readonly AccessRequest[] {
  if (operation?.access !== undefined) return operation.access(call, input as never);
  return [{ action: actionOf(eventSource, name), resource: '*' }];
}

/** `cloudtrail:StopLogging` of `cloudtrail.amazonaws.com`. */
export function actionOf(eventSource: string, name: string): string {
  return `${eventSource.slice(0, eventSource.indexOf('.'))}:${name}`;
}

function replayed(name: string): ApiError {
  const message = `This very request was carried out before, and ${name} is carried out once for one signature. Sign it again.`;
  return new ApiError('InvalidSignatureException', message, { status: 403 });
}

function responseElements(
  { protocol }: Service,
  { name, isReadOnly }: { readonly name: string; readonly isReadOnly: boolean },
  decision: Decision<unknown>,
): JsonObject | null {
  if (decision.responseElements !== undefined) return decision.responseElements;
  return isReadOnly ? null : toResponseElements(name, (decision.output ?? {}) as object, protocol === 'query' ? ' ' : ', ');
}

/** Members that are secrets whatever the operation; no operation should let one get here (A85). */
const SECRETS = new Set([
  'secretaccesskey',
  'secretkey',
  'sessiontoken',
  'password',
  'privatekey',
  'webidentitytoken',
  'tokencode',
  'authenticationcode1',
  'authenticationcode2',
]);

function redact(members: JsonObject | null): JsonObject | null {
  return members === null ? null : (redactValue(members) as JsonObject);
}

function redactValue(value: Json | undefined): Json | undefined {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => redactValue(item) as Json);
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([name, member]) => [
      name,
      SECRETS.has(name.toLowerCase()) ? 'HIDDEN_DUE_TO_SECURITY_REASONS' : redactValue(member),
    ]),
  );
}

function unknownOperation(name: string): ApiError {
  return new ApiError('UnknownOperationException', `the operation \`${printable(name)}\` does not exist`, { status: 404 });
}

function unknownAction(name: string, version: string): ApiError {
  return new ApiError('InvalidAction', `Could not find operation ${printable(name)} for version ${printable(version)}`, { status: 400 });
}

/** An untrusted name in a message: cut short, printable. */
function printable(name: string): string {
  return name.slice(0, 128).replace(/[^\x20-\x7e]/g, '?');
}
