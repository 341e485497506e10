/**
 * The form of the table of operations, shapes and errors that `scripts/generate-model.mjs` writes.
 *
 * Types only: `model.generated.ts` is of them, `model.ts` looks things up in it.
 */

/** One operation of the two services. */
export interface OperationModel {
  /** SigV4 service name: `cloudtrail` or `cloudtrail-data`. */
  readonly service: string;
  /** Names of shapes; absent where the model has none. */
  readonly input?: string;
  readonly output?: string;
  /** Exceptions that the operation declares. */
  readonly errors: readonly string[];
}

interface Bounds {
  /** Least value, or least length of texts and lists, both inclusive. */
  readonly min?: number;
  /** Greatest value, or greatest length of texts and lists, both inclusive. */
  readonly max?: number;
}

export interface StructureShape {
  readonly type: 'structure';
  /** Name of the shape of each member. */
  readonly members: Readonly<Record<string, string>>;
  readonly required?: readonly string[];
  /** Members that are sent in the query string and not in the body. */
  readonly query?: readonly string[];
}

export interface ListShape extends Bounds {
  readonly type: 'list';
  readonly member: string;
}

export interface MapShape extends Bounds {
  readonly type: 'map';
  readonly key: string;
  readonly value: string;
}

export interface StringShape extends Bounds {
  readonly type: 'string';
  readonly enum?: readonly string[];
  /** A regular expression that the whole text must match; `(?s)` at its beginning lets `.` match line ends. */
  readonly pattern?: string;
}

export interface NumberShape extends Bounds {
  readonly type: 'integer' | 'long' | 'float' | 'double';
}

/** A shape of the model. */
export type Shape = StructureShape | ListShape | MapShape | StringShape | NumberShape | { readonly type: 'boolean' | 'timestamp' | 'blob' };

/** An exception of the model. */
export interface ErrorModel {
  /** HTTP status. */
  readonly status: number;
  /** Name in the query protocol of old; absent for the data service. */
  readonly queryCode?: string;
}

export interface ApiModel {
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly errors: Readonly<Record<string, ErrorModel>>;
}

/** The services of the query protocol: `scripts/generate-query-model.mjs` writes it. */
export interface QueryModel {
  readonly iam: QueryServiceModel;
  readonly sts: QueryServiceModel;
  /** By name, with the service's name before it: `iam.User`. */
  readonly shapes: Readonly<Record<string, Shape>>;
}

export interface QueryServiceModel {
  /** The operations that this server has. Shapes are absent where the model has none. */
  readonly operations: Readonly<Record<string, { readonly input?: string; readonly output?: string }>>;
  /** Wire names of all of them. */
  readonly names: readonly string[];
}
