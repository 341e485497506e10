/**
 * Our policy evaluation beside moto's, where moto's is right: actions in their usual case, `*` in actions and resources, `NotAction`,
 * both effects. Conditions, principals, `?`, `NotResource` and variables are left to the truth tables: moto reads them as a
 * regular expression, or not at all.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluatePolicy } from '../../src/policy/evaluate-policy.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { findBoto3, run } from '../support/clients.ts';

const python = await findBoto3();
const CASES = 2_000;

const SCRIPT = `
import json, sys
from moto.iam.access_control import IAMPolicy
cases = json.load(open(sys.argv[1]))
print(json.dumps([IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource).name for policy, action, resource in cases]))
`;

const actions = ['cloudtrail:StopLogging', 'cloudtrail:StartLogging', 'cloudtrail:GetTrail', 's3:GetObject', 'iam:PassRole'];
const patterns = [...actions, '*', 'cloudtrail:*', 'cloudtrail:S*Logging', 'cloudtrail:*Trail*', 's3:Get*', 'iam:P*s*e'];
const resources = ['arn:aws:cloudtrail:us-east-1:111122223333:trail/main', 'arn:aws:s3:::evidence/a/b', 'arn:aws:s3:::other/a'];
const resourcePatterns = [
  ...resources,
  '*',
  'arn:aws:s3:::*',
  'arn:aws:s3:::evidence/*',
  'arn:aws:cloudtrail:*:111122223333:trail/*',
  'arn:aws:s3:::*/a',
];

const some = (from: readonly string[]) =>
  fc.oneof(fc.constantFrom(...from), fc.uniqueArray(fc.constantFrom(...from), { minLength: 1, maxLength: 3 }));
const statement = fc
  .tuple(
    fc.constantFrom('Allow', 'Allow', 'Deny'),
    fc.constantFrom('Action', 'Action', 'NotAction'),
    some(patterns),
    some(resourcePatterns),
  )
  .map(([Effect, member, names, Resource]) => ({ Effect, [member]: names, Resource }));
const asked = fc.tuple(
  fc.array(statement, { minLength: 1, maxLength: 4 }).map((Statement) => ({ Version: '2012-10-17', Statement })),
  fc.constantFrom(...actions),
  fc.constantFrom(...resources),
);

test.skipIf(python === undefined)('agrees with moto about actions, resources and effects (A16)', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-policies-'));
  try {
    const cases = fc.sample(asked, { numRuns: CASES, seed: 16 });
    await writeFile(`${folder}/cases.json`, JSON.stringify(cases));
    await writeFile(`${folder}/ask.py`, SCRIPT);
    const { code, stdout, stderr } = await run(python!, [`${folder}/ask.py`, `${folder}/cases.json`]);
    expect([code, stderr]).toEqual([0, '']);
    const words = { allowed: 'PERMITTED', denied: 'DENIED', 'not-allowed': 'NEUTRAL' };
    const ours = cases.map(([policy, action, resource]) => {
      const parsed = parsePolicy(JSON.stringify(policy), 'identity');
      if (parsed.kind === 'malformed') throw new Error(parsed.reason);
      const principal = { kind: 'account', account: '111122223333', arn: 'arn:aws:iam::111122223333:user/alice' } as const;
      return words[evaluatePolicy(parsed.policy, { principal, action, resource, context: new Map() }).kind];
    });
    const theirs = JSON.parse(stdout) as string[];
    expect(cases.filter((_, index) => ours[index] !== theirs[index])).toEqual([]);
    expect(new Set(ours).size).toBe(3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
