/**
 * What the service's models say about its operations: shapes, constraints, errors.
 *
 * The table itself is generated (`scripts/generate-model.mjs`); here are its types and the look-ups. All look-ups take
 * untrusted names: a name that the model does not have is `undefined`, also when `Object.prototype` has it (A62).
 */
import { generatedModel } from './model.generated.ts';

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

const operations: ReadonlyMap<string, OperationModel> = new Map(Object.entries(generatedModel.operations));
const shapes: ReadonlyMap<string, Shape> = new Map(Object.entries(generatedModel.shapes));
const errors: ReadonlyMap<string, ErrorModel> = new Map(Object.entries(generatedModel.errors));

/** The operation of a wire name, such as `CreateTrail`; `undefined` when the services have none of that name. */
export function operationModel(name: string): OperationModel | undefined {
  return operations.get(name);
}

/** Wire names of all operations of both services. */
export function operationNames(): readonly string[] {
  return [...operations.keys()];
}

/** The exception of a wire name; `undefined` when the models have none of that name. */
export function errorModel(name: string): ErrorModel | undefined {
  return errors.get(name);
}

/** Names of all exceptions of both services. */
export function errorNames(): readonly string[] {
  return [...errors.keys()];
}

/**
 * The shape of a name that the model itself gave.
 * @throws Error when the model refers to a shape that it does not have, which is a fault of the generated table.
 */
export function shapeOf(name: string): Shape {
  const shape = shapes.get(name);
  if (shape === undefined) throw new Error(`the model has no shape \`${name}\``);
  return shape;
}
