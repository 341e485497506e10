/** The truth table of several policies together, from IAM's documented rules, and the same rules written naively. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessQuestion, type AccessVerdict, type CallerPolicies, evaluateAccess, type NamedPolicy } from './evaluate-access.ts';
import { explainVerdict, refusalReason } from './explain-verdict.ts';
import type { PolicyPrincipal } from './match-principal.ts';
import { type PolicyForm, parsePolicy } from './parse-policy.ts';

const OWNER = '111122223333';
const OTHER = '444455556666';
const USER = `arn:aws:iam::${OWNER}:user/alice`;
const ROLE = `arn:aws:iam::${OWNER}:role/team/Deploy`;
const SESSION = `arn:aws:sts::${OWNER}:assumed-role/Deploy/alice`;
const ROOT = `arn:aws:iam::${OWNER}:root`;

const PRINCIPALS = {
  user: { kind: 'account', account: OWNER, arn: USER },
  session: { kind: 'account', account: OWNER, arn: SESSION, roleArn: ROLE },
  root: { kind: 'account', account: OWNER, arn: ROOT },
  service: { kind: 'service', service: 'cloudtrail.amazonaws.com' },
  federated: { kind: 'federated', provider: 'issuer.example' },
} as const satisfies Record<string, PolicyPrincipal>;

function policy(name: string, form: PolicyForm, ...statements: object[]): NamedPolicy {
  const parsed = parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), form);
  if (parsed.kind === 'malformed') throw new Error(parsed.reason);
  return { name, policy: parsed.policy };
}

/** `+` allows the action, `-` denies it, `0` is about another one. */
type Sign = '+' | '-' | '0';
const statement = (sign: Sign) => ({
  Effect: sign === '-' ? 'Deny' : 'Allow',
  Action: sign === '0' ? 's3:ListBucket' : 's3:GetObject',
  Resource: '*',
});
const identity = (sign: Sign) => policy('identity', 'identity', statement(sign));
const serviceControl = (sign: Sign) => policy('scp', 'service-control', statement(sign));
const resource = (sign: Sign, Principal: unknown) => policy('bucket policy', 'resource', { ...statement(sign), Principal });

const question = (change: Partial<AccessQuestion>): AccessQuestion => ({
  principal: PRINCIPALS.user,
  action: 's3:GetObject',
  resource: 'arn:aws:s3:::evidence/x',
  context: new Map(),
  owner: OWNER,
  ...change,
});

/** The verdict in two words: what, and which kind of policy decided. */
function words(verdict: AccessVerdict): string {
  switch (verdict.kind) {
    case 'allowed-to-root':
      return 'allowed root';
    case 'not-allowed':
      return `not-allowed ${verdict.policyKind}`;
    default:
      return `${verdict.kind} ${verdict.by.policyKind}`;
  }
}

const caller = (signs: { identity?: Sign; boundary?: Sign; session?: Sign; levels?: Sign[] }): CallerPolicies => ({
  identity: signs.identity === undefined ? [] : [identity(signs.identity)],
  ...(signs.boundary === undefined ? {} : { boundary: identity(signs.boundary) }),
  ...(signs.session === undefined ? {} : { session: [identity(signs.session)] }),
  serviceControl: (signs.levels ?? []).map((sign) => [serviceControl(sign)]),
});

type Row = [
  what: string,
  who: keyof typeof PRINCIPALS,
  has: Parameters<typeof caller>[0],
  resource: [sign: Sign, principal: unknown] | undefined,
  verdict: string,
];

describe('within one account', () => {
  test.each<Row>([
    ['nothing allows', 'user', {}, undefined, 'not-allowed identity'],
    ['an identity policy allows', 'user', { identity: '+' }, undefined, 'allowed identity'],
    ['an identity policy denies what the bucket allows', 'user', { identity: '-' }, ['+', { AWS: USER }], 'denied identity'],
    ['the bucket denies what the identity policy allows', 'user', { identity: '+' }, ['-', '*'], 'denied resource'],
    ['the bucket allows the user by ARN', 'user', {}, ['+', { AWS: USER }], 'allowed resource'],
    ['the bucket allows everyone', 'user', {}, ['+', '*'], 'allowed resource'],
    ['the bucket allows the account: its own policies decide', 'user', {}, ['+', { AWS: OWNER }], 'not-allowed identity'],
    ['the bucket allows the account, and so does the identity policy', 'user', { identity: '+' }, ['+', { AWS: ROOT }], 'allowed identity'],
    ['a boundary without the action', 'user', { identity: '+', boundary: '0' }, undefined, 'not-allowed boundary'],
    ['a boundary allows nothing by itself', 'user', { boundary: '+' }, undefined, 'not-allowed identity'],
    ['a boundary with it', 'user', { identity: '+', boundary: '+' }, undefined, 'allowed identity'],
    ['a boundary that denies what the bucket gives', 'user', { boundary: '-' }, ['+', { AWS: USER }], 'denied boundary'],
    ['a boundary does not limit what the bucket gives the user', 'user', { boundary: '0' }, ['+', { AWS: USER }], 'allowed resource'],
    ['a boundary limits what the bucket gives the role', 'session', { boundary: '0' }, ['+', { AWS: ROLE }], 'not-allowed boundary'],
    ['a boundary limits a role that is everyone', 'session', { boundary: '0' }, ['+', '*'], 'not-allowed boundary'],
    ['the bucket allows the role', 'session', {}, ['+', { AWS: ROLE }], 'allowed resource'],
    [
      'the bucket allows a role of the name without its path',
      'session',
      {},
      ['+', { AWS: `arn:aws:iam::${OWNER}:role/Deploy` }],
      'not-allowed identity',
    ],
    ['a session policy limits what the bucket gives the role', 'session', { session: '0' }, ['+', { AWS: ROLE }], 'not-allowed session'],
    [
      'a session policy does not limit what the bucket gives the session',
      'session',
      { session: '0', boundary: '0' },
      ['+', { AWS: SESSION }],
      'allowed resource',
    ],
    ['a session policy limits the role', 'session', { identity: '+', session: '0' }, undefined, 'not-allowed session'],
    ['a session policy gives nothing that the role has not', 'session', { session: '+' }, undefined, 'not-allowed identity'],
    ['a session policy denies what the bucket gives the session', 'session', { session: '-' }, ['+', { AWS: SESSION }], 'denied session'],
    ['both allow', 'session', { identity: '+', session: '+' }, undefined, 'allowed identity'],
    [
      'a level of the organization does not allow',
      'user',
      { identity: '+', levels: ['+', '0', '+'] },
      undefined,
      'not-allowed service-control',
    ],
    ['each level allows', 'user', { identity: '+', levels: ['+', '+'] }, undefined, 'allowed identity'],
    ['a level denies', 'user', { identity: '+', levels: ['+', '-'] }, ['+', { AWS: USER }], 'denied service-control'],
    ['levels allow nothing by themselves', 'user', { levels: ['+', '+'] }, undefined, 'not-allowed identity'],
    ['levels limit what the bucket gives', 'user', { levels: ['0'] }, ['+', { AWS: USER }], 'not-allowed service-control'],
    ['the root needs no policy', 'root', {}, undefined, 'allowed root'],
    ['the bucket denies even the root', 'root', {}, ['-', { AWS: ROOT }], 'denied resource'],
    ['a level limits even the root', 'root', { levels: ['0'] }, undefined, 'not-allowed service-control'],
    ['a service has what the bucket gives it', 'service', {}, ['+', { Service: 'cloudtrail.amazonaws.com' }], 'allowed resource'],
    ['a service has nothing else', 'service', {}, ['+', { Service: 'config.amazonaws.com' }], 'not-allowed resource'],
    [
      'a federated caller has what the policy gives its issuer',
      'federated',
      {},
      ['+', { Federated: 'issuer.example' }],
      'allowed resource',
    ],
    ['a federated caller of another issuer', 'federated', {}, ['+', { Federated: 'other.example' }], 'not-allowed resource'],
    ['the denial of an organization is told before that of the bucket', 'user', { levels: ['-'] }, ['-', '*'], 'denied service-control'],
  ])('%s', (_what, who, has, resourceSigns, verdict) => {
    const resourcePolicy = resourceSigns === undefined ? {} : { resourcePolicy: resource(...resourceSigns) };
    expect(words(evaluateAccess(question({ principal: PRINCIPALS[who], caller: caller(has), ...resourcePolicy })))).toBe(verdict);
  });
});

describe('across accounts', () => {
  test.each<Row>([
    ['the own policies alone', 'user', { identity: '+' }, undefined, 'not-allowed resource'],
    ['the bucket alone', 'user', {}, ['+', { AWS: USER }], 'not-allowed identity'],
    ['both, the user by ARN', 'user', { identity: '+' }, ['+', { AWS: USER }], 'allowed resource'],
    ['both, the account as a whole', 'user', { identity: '+' }, ['+', { AWS: OWNER }], 'allowed resource'],
    ['both, everyone', 'user', { identity: '+' }, ['+', '*'], 'allowed resource'],
    ['both, but a boundary', 'user', { identity: '+', boundary: '0' }, ['+', { AWS: USER }], 'not-allowed boundary'],
    [
      'both, but a session policy, although the session is named',
      'session',
      { identity: '+', session: '0' },
      ['+', { AWS: SESSION }],
      'not-allowed session',
    ],
    ['both, but the organization', 'user', { identity: '+', levels: ['0'] }, ['+', { AWS: USER }], 'not-allowed service-control'],
    ['the bucket denies', 'user', { identity: '+' }, ['-', '*'], 'denied resource'],
    ['the root of the other account, not named', 'root', {}, undefined, 'not-allowed resource'],
    ['the root of the other account, named', 'root', {}, ['+', { AWS: OWNER }], 'allowed resource'],
    ['a service, whose account is nobody’s', 'service', {}, ['+', { Service: 'cloudtrail.amazonaws.com' }], 'allowed resource'],
  ])('%s', (_what, who, has, resourceSigns, verdict) => {
    const resourcePolicy = resourceSigns === undefined ? {} : { resourcePolicy: resource(...resourceSigns) };
    const asked = question({ principal: PRINCIPALS[who], caller: caller(has), owner: OTHER, ...resourcePolicy });
    expect(words(evaluateAccess(asked))).toBe(verdict);
  });
});

describe('a resource that only its own policy opens, such as a KMS key', () => {
  test.each<Row>([
    ['no policy names the caller', 'user', { identity: '+' }, ['+', { AWS: OTHER }], 'not-allowed resource'],
    ['it hands the decision to the account', 'user', { identity: '+' }, ['+', { AWS: ROOT }], 'allowed identity'],
    ['it hands the decision to the account, which gives nothing', 'user', {}, ['+', { AWS: ROOT }], 'not-allowed identity'],
    ['it names the user', 'user', {}, ['+', { AWS: USER }], 'allowed resource'],
    ['it leaves out even the root', 'root', {}, ['+', { AWS: USER }], 'not-allowed resource'],
    ['it names the root', 'root', {}, ['+', { AWS: ROOT }], 'allowed resource'],
  ])('%s', (_what, who, has, resourceSigns, verdict) => {
    const asked = { principal: PRINCIPALS[who], caller: caller(has), resourcePolicy: resource(...resourceSigns!), isPolicyRequired: true };
    expect(words(evaluateAccess(question(asked)))).toBe(verdict);
  });
});

describe('`NotPrincipal`', () => {
  const denyAllBut = (AWS: string[]) => policy('bucket policy', 'resource', { ...statement('-'), NotPrincipal: { AWS } });
  const ask = (resourcePolicy: NamedPolicy, who: keyof typeof PRINCIPALS) =>
    words(
      evaluateAccess(question({ principal: PRINCIPALS[who], caller: caller(who === 'root' ? {} : { identity: '+' }), resourcePolicy })),
    );

  test('a denial spares who is listed with its account, and a session with its role as well', () => {
    expect(ask(denyAllBut([USER, OWNER]), 'user')).toBe('allowed identity');
    expect(ask(denyAllBut([USER]), 'user')).toBe('denied resource');
    expect(ask(denyAllBut([ROOT]), 'user')).toBe('denied resource');
    expect(ask(denyAllBut([ROOT]), 'root')).toBe('allowed root');
    expect(ask(denyAllBut([SESSION, ROLE, ROOT]), 'session')).toBe('allowed identity');
    expect(ask(denyAllBut([ROLE, ROOT]), 'session')).toBe('denied resource');
  });
});

describe('the words of a refusal', () => {
  test('are the service’s', () => {
    const of = (has: Parameters<typeof caller>[0], change: Partial<AccessQuestion> = {}) => {
      const verdict = evaluateAccess(question({ caller: caller(has), ...change }));
      return verdict.kind === 'denied' || verdict.kind === 'not-allowed' ? refusalReason(verdict, 's3:GetObject') : 'allowed';
    };
    expect(of({})).toBe('because no identity-based policy allows the s3:GetObject action');
    expect(of({ identity: '-' })).toBe('with an explicit deny in an identity-based policy');
    expect(of({ identity: '+', boundary: '0' })).toBe('because no permissions boundary allows the s3:GetObject action');
    expect(of({ identity: '+', levels: ['0'] })).toBe('because no service control policy allows the s3:GetObject action');
    expect(of({ identity: '+', levels: ['-'] })).toBe('with an explicit deny in a service control policy');
    expect(of({ identity: '+', session: '-' })).toBe('with an explicit deny in a session policy');
    expect(of({ identity: '+' }, { owner: OTHER })).toBe('because no resource-based policy allows the s3:GetObject action');
    expect(of({ identity: '+' }, { resourcePolicy: resource('-', '*') })).toBe('with an explicit deny in a resource-based policy');
  });

  test('for people name the statement', () => {
    const named = policy('arn:aws:iam::aws:policy/AdministratorAccess', 'identity', { ...statement('+'), Sid: 'All' });
    expect(explainVerdict(evaluateAccess(question({ caller: { identity: [named], serviceControl: [] } })))).toBe(
      'Allowed by statement All of arn:aws:iam::aws:policy/AdministratorAccess (identity-based policy).',
    );
    expect(explainVerdict(evaluateAccess(question({ caller: caller({ identity: '-' }) })))).toBe(
      'Denied by statement Statement[0] of identity (identity-based policy).',
    );
    expect(explainVerdict(evaluateAccess(question({ caller: caller({}) })))).toMatch(/^Not allowed: no identity-based policy/);
  });
});

describe('evaluateAccess', () => {
  /** The documented rules in the order of the guide, over signs, without any policy language. */
  function naive(
    who: keyof typeof PRINCIPALS,
    has: Parameters<typeof caller>[0],
    given: [Sign, string] | undefined,
    isOwn: boolean,
  ): boolean {
    const signs = [has.identity, has.boundary, has.session, ...(has.levels ?? []), isAbout(who, given) ? given![0] : undefined];
    if (signs.includes('-')) return false;
    const opens = isAbout(who, given) && given![0] === '+';
    if (who === 'service') return opens;
    if ((has.levels ?? []).some((sign) => sign !== '+')) return false;
    const isWithin = [has.boundary, has.session].every((sign) => sign === undefined || sign === '+');
    const ownSide = who === 'root' || (has.identity === '+' && isWithin);
    if (!isOwn) return opens && ownSide;
    const [, name] = given ?? ['0', ''];
    if (opens && (name === SESSION || (who === 'user' && (name === USER || name === '*')))) return true;
    if (opens && who === 'session' && (name === ROLE || name === '*')) return isWithin;
    return ownSide;
  }

  function isAbout(who: keyof typeof PRINCIPALS, given: [Sign, string] | undefined): boolean {
    const names: Record<string, string[]> = {
      user: [USER, OWNER, ROOT],
      session: [SESSION, ROLE, OWNER, ROOT],
      root: [ROOT, OWNER],
      service: [],
    };
    return given !== undefined && (given[1] === '*' || names[who]!.includes(given[1]));
  }

  test('agrees with the rules written naively (A16)', () => {
    const sign = fc.constantFrom<Sign>('+', '-', '0');
    const maybe = fc.option(sign, { nil: undefined });
    const names = fc.constantFrom(USER, ROLE, SESSION, OWNER, ROOT, '*', OTHER);
    const who = fc.constantFrom('user', 'session', 'root', 'service' as const);
    const signs = fc.record({ identity: maybe, boundary: maybe, session: maybe, levels: fc.array(sign, { maxLength: 3 }) });
    fc.assert(
      fc.property(who, signs, fc.option(fc.tuple(sign, names), { nil: undefined }), fc.boolean(), (name, drawn, given, isOwn) => {
        const has = Object.fromEntries(
          Object.entries(name === 'root' || name === 'service' ? { levels: drawn.levels } : drawn).filter(
            ([, value]) => value !== undefined,
          ),
        ) as Parameters<typeof caller>[0];
        const own = name === 'service' ? {} : { caller: caller(has) };
        const resourcePolicy =
          given === undefined ? {} : { resourcePolicy: resource(given[0], given[1] === '*' ? '*' : { AWS: given[1] }) };
        const verdict = evaluateAccess(question({ principal: PRINCIPALS[name], owner: isOwn ? OWNER : OTHER, ...own, ...resourcePolicy }));
        expect(verdict.kind.startsWith('allowed')).toBe(naive(name, name === 'service' ? {} : has, given, isOwn));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a denial anywhere wins, whatever is added', () => {
    const sign = fc.constantFrom<Sign>('+', '-', '0');
    fc.assert(
      fc.property(fc.array(sign, { minLength: 1, maxLength: 5 }), fc.array(sign, { maxLength: 3 }), (own, levels) => {
        const policies: CallerPolicies = { identity: own.map(identity), serviceControl: levels.map((level) => [serviceControl(level)]) };
        const verdict = evaluateAccess(question({ caller: policies }));
        expect(verdict.kind === 'denied').toBe([...own, ...levels].includes('-'));
      }),
    );
  });
});
