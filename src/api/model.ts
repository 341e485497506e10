/**
 * What the service's models say about its operations: shapes, constraints, errors.
 *
 * The tables are generated (`scripts/generate-model.mjs`, `generate-query-model.mjs`); their types are in `model-types.ts`; here are the look-ups. All look-ups take
 * untrusted names: a name that the model does not have is `undefined`, also when `Object.prototype` has it (A62).
 */
import { generatedModel } from './model.generated.ts';
import type { ErrorModel, OperationModel, QueryServiceModel, Shape } from './model-types.ts';
import { generatedQueryModel } from './query-model.generated.ts';

const operations: ReadonlyMap<string, OperationModel> = new Map(Object.entries(generatedModel.operations));
const shapes: ReadonlyMap<string, Shape> = new Map(Object.entries({ ...generatedModel.shapes, ...generatedQueryModel.shapes }));
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

/** Input and output of the operations of a service of the query protocol, and the names of all it has. */
export function queryService(name: 'iam' | 'sts'): QueryServiceModel {
  return generatedQueryModel[name];
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
