/**
 * What breaks the model is refused by the service's error for it, whoever sends it: for each constraint of each operation, also of
 * those that are not built, one request through the whole server.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { borderRequests, brokenRequests, wellFormedInput } from '../../test/support/constraint-matrix.ts';
import { type Answer, WholeServer } from '../../test/support/whole-server.ts';
import { operationModel, operationNames } from '../api/model.ts';

let whole: WholeServer;
/** A user who may do nothing. */
let nobody: Awaited<ReturnType<WholeServer['createUser']>>;
beforeAll(async () => {
  whole = await WholeServer.open();
  nobody = await whole.createUser('nobody');
});
afterAll(() => whole.close());

/** As the user who may do nothing, and as the root. */
async function send(operation: string, input: object): Promise<readonly [Answer, Answer]> {
  const isData = operationModel(operation)!.service === 'cloudtrail-data';
  const as = (credentials?: typeof nobody) =>
    isData
      ? whole.putAuditEvents({ ...input }, credentials && { credentials })
      : whole.cloudtrail(operation, input, credentials && { credentials });
  return [await as(nobody), await as()];
}

const BROKEN = brokenRequests();
const BORDER = borderRequests();

describe('a request that breaks the model', () => {
  test('there is one for each constraint of each operation with an input', () => {
    expect(new Set(BROKEN.map(({ operation }) => operation)).size).toBeGreaterThanOrEqual(57);
    expect(BROKEN.length).toBeGreaterThan(1_000);
  });

  test.each(operationNames())('%s is refused by its own error, before asking who may and whether it is built', async (name) => {
    const wrong: string[] = [];
    for (const { operation, title, input, code, status, names } of BROKEN.filter(({ operation }) => operation === name)) {
      for (const answer of await send(operation, input)) {
        const isNamed = answer.message.toLowerCase().includes(names.toLowerCase());
        if (answer.code === code && answer.status === status && isNamed) continue;
        wrong.push(`${title}: ${code} ${status} is due; got ${answer.code} ${answer.status} ${answer.message}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(operationNames().filter((name) => operationModel(name)!.service === 'cloudtrail'))(
    '%s: a body that is no object is a SerializationException',
    async (name) => {
      const answers = await Promise.all(['[]', '7', '"x"', '{'].map((body) => whole.cloudtrail(name, body, { credentials: nobody })));
      expect(answers.map(({ code, status }) => `${code} ${status}`)).toEqual(answers.map(() => 'SerializationException 400'));
    },
  );
});

describe('a request that keeps the model', () => {
  test.each(operationNames())('%s: who may do nothing is denied, and nobody else is told of a constraint', async (name) => {
    const [denied, answered] = await send(name, wellFormedInput(name));
    expect(`${denied.status} ${denied.code}`).toBe('403 AccessDeniedException');
    expect(`${answered.code} ${answered.message}`).not.toMatch(/failed to satisfy constraint|Serialization|AccessDenied|InternalFailure/);
  });

  test('what is just within a constraint is not refused for it', async () => {
    const wrong: string[] = [];
    for (const { operation, title, input } of BORDER)
      for (const { code, message } of await send(operation, input))
        if (/failed to satisfy constraint|Serialization|InternalFailure/.test(`${code} ${message}`))
          wrong.push(`${operation} ${title}: ${code} ${message}`);
    expect(wrong).toEqual([]);
  });
});
