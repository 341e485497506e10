/**
 * The settings of a server: flag, then environment, then file, then default.
 *
 * The file is YAML (`--config`, `./snowtrail.yaml`, `$XDG_CONFIG_HOME/snowtrail/config.yaml`, `/etc/snowtrail/config.yaml`).
 * An unknown or wrong setting stops the start: a server never runs with a default that nobody chose (F62).
 *
 * Source: experience.md §7.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { isAccountId, isRegion } from '../event/values.ts';
import { parseIpRange } from '../policy/ip-range.ts';
import { isMailAddress } from '../store/mailer.ts';
import { declaredSections } from './declared.ts';

const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms !== undefined) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 500ms, 2s, 5m or 1h' });
  return z.NEVER;
});

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const match = /^(\d+)\s*(B|KiB|MiB|GiB)?$/.exec(String(value));
  if (match) return Number(match[1]) * { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[(match[2] ?? 'B') as 'B']!;
  context.addIssue({ code: 'custom', message: 'must be a size such as 1GiB or 512MiB' });
  return z.NEVER;
});

const foreignBucket = z.strictObject({
  /** Where the S3 API of the store is, such as `http://127.0.0.1:7480`. Trusted: our operator chose it. */
  endpoint: z.url(),
  region: z.string().default('us-east-1'),
  credentials: z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: z.string().min(1) }),
});

/** A KMS of somebody else. */
const foreignKms = z.strictObject({
  /** Where the API is, such as `https://kms.eu-central-1.amazonaws.com`. Trusted: our operator chose it. */
  endpoint: z.url(),
  credentials: z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: z.string().min(1), sessionToken: z.string().optional() }),
  /** Accounts of this installation that may use the keys, beside the account in their ARNs. Trusted: the KMS sees our credentials alone. */
  accounts: z.array(z.string().refine((text): boolean => isAccountId(text), 'must be twelve digits')).default([]),
});

/** What delivers through an API of AWS: at AWS, or at whoever else speaks it. */
const foreignService = z.strictObject({
  /** Where the API is, such as `http://127.0.0.1:5000`. Trusted: our operator chose it. */
  endpoint: z.url(),
  /** The only Region that is there; absent where one endpoint serves all. */
  region: z
    .string()
    .refine((text): boolean => isRegion(text), 'must be a Region code such as us-east-1')
    .optional(),
  credentials: z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: z.string().min(1), sessionToken: z.string().optional() }),
});

const schema = z.strictObject({
  dataDir: z.string().min(1).default('./snowtrail-data'),
  listen: z
    .string()
    .regex(/^\S+:\d{1,5}$/, 'must be HOST:PORT')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port from 0 to 65535')
    .default('127.0.0.1:4620'),
  /** Files in PEM, both or none: the certificate with its chain, and its private key. With them TLS is served, and nothing else. */
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  /**
   * Address ranges of proxies that are believed what they say of their clients (`x-forwarded-for`, `x-forwarded-proto`). Trusted: too wide,
   * and whoever is in them names any address as its own, and plain HTTP as TLS. On the command line separated by commas.
   */
  trustedProxies: z
    .union([z.string().transform((text) => text.split(',').map((each) => each.trim())), z.array(z.string())])
    .refine((ranges) => ranges.every((range) => parseIpRange(range) !== undefined), 'must be addresses or ranges such as 10.0.0.0/8')
    .default([]),
  /** Number of the first account. Chosen at the first start, `000000000000` where nobody says; another one later is refused. */
  accountId: z
    .string()
    .refine((text): boolean => isAccountId(text), 'must be twelve digits')
    .optional(),
  /** Id of the organization that the first account creates, such as `o-winterday01`; the service's own way, at random, where nobody says. */
  organizationId: z
    .string()
    .regex(/^o-[a-z0-9]{10,32}$/, 'must be o- and 10 to 32 lower-case letters and digits')
    .optional(),
  /** Region of facts that belong to the installation, and of `snowtrail env`. */
  region: z
    .string()
    .refine((text): boolean => isRegion(text), 'must be a Region code such as us-east-1')
    .default('us-east-1'),
  flushInterval: duration.pipe(z.number().min(1, 'must be at least 1ms')).prefault('5s'),
  digestInterval: duration
    .pipe(
      z
        .number()
        .min(1_000, 'must be at least 1s')
        .refine((ms) => ms % 1_000 === 0, 'must be whole seconds'),
    )
    .prefault('1h'),
  /** A file that sets the clock; refused unless the server listens on loopback. */
  clock: z.string().optional(),
  /**
   * Takes every request as the first account's root, unsigned or signed with anything. For tests: refused unless the server listens on
   * loopback. A flag alone, so that no file or variable that was left over opens a server.
   */
  noAuth: z.literal('true').optional(),
  /**
   * What a scraper of `/metrics` sends as its bearer token. Needed where the server listens beyond loopback: without it nobody reads
   * them there. No flag, since the arguments of a process can be read by others.
   */
  metricsToken: z
    .string()
    .regex(/^[!-~]{16,512}$/, 'must be 16 to 512 printable characters without spaces')
    .optional(),
  /** Password of `delivery.smtp.user`. No flag, for the same reason; `delivery.smtp.passwordFile` names a file instead. */
  smtpPassword: z.string().min(1).max(1_000).optional(),
  /**
   * Changes that make the record smaller (stop or delete a trail, narrow its selectors, disable its key, …) wait: for a second
   * person, for a time, or both. Absent: they are carried out at once, recorded before they take effect.
   */
  approvals: z
    .strictObject({
      persons: z.union([z.literal(1), z.literal(2)], 'must be 1 or 2').default(2),
      delay: duration.prefault('0s'),
    })
    .optional(),
  storage: z
    .strictObject({
      /** Below this much free space new events are refused; the smaller of 1 GiB and 5 % when absent. */
      reserve: size.optional(),
      /** Bucket names that live on a foreign S3. */
      buckets: z.record(z.string(), foreignBucket).default({}),
      /** KMS keys that live at a foreign KMS: the ARN of one, or what the ARNs of several begin with. A key of this server's own comes first. */
      keys: z
        .record(
          z
            .string()
            .regex(
              /^arn:aws:kms:[a-z0-9-]+:\d{12}:[A-Za-z0-9:/_-]*$/,
              'must be the ARN of a KMS key, or begin one: arn:aws:kms:REGION:ACCOUNT:',
            ),
          foreignKms,
        )
        .default({}),
    })
    .prefault({}),
  identityProviders: z
    .strictObject({
      /**
       * Hosts and address ranges, beside the public internet, where the issuers of web identities may be. Trusted: too wide, and
       * who may configure a provider reaches what only this machine should.
       */
      allow: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  delivery: z
    .strictObject({
      /** CloudWatch Logs for trails that name a log group. `stsEndpoint`: where their roles are assumed, if not at the same place. */
      logs: foreignService.extend({ stsEndpoint: z.url().optional() }).optional(),
      /** SNS for topics that are none of this server's own. */
      sns: foreignService.optional(),
      /** SQS for queues that are subscribed to topics of this server. Trusted: its credentials write to every queue whose policy lets SNS. */
      sqs: foreignService.optional(),
      /** The server that mail to subscribers of topics goes by. Trusted: its address may be an inner one. */
      smtp: z
        .strictObject({
          host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be a host name or an address'),
          /** 587, 465 or 25, as `tls` says, when absent. */
          port: z.int().min(1).max(65_535).optional(),
          tls: z.enum(['starttls', 'implicit', 'none']).default('starttls'),
          from: z.string().refine((text): boolean => isMailAddress(text), 'must be one mail address such as audit@example.com'),
          /** How people read it. Absent: the bare address, or the name that a topic's owner gave it. */
          fromName: z.string().min(1).max(100).optional(),
          /** Who logs in, with `smtpPassword` or what is in `passwordFile`. Absent: nobody needs to. */
          user: z.string().min(1).max(256).optional(),
          /** A file that only our user can read, with the password alone. */
          passwordFile: z.string().min(1).optional(),
        })
        .optional(),
      subscribers: z
        .strictObject({
          /** Where subscribers reach this server, for the links in messages, such as `https://audit.example`; absent: where it listens. */
          url: z
            .url({ protocol: /^https?$/ })
            .transform((text) => text.replace(/\/+$/, ''))
            .optional(),
          /**
           * Hosts and address ranges, beside the public internet, that URLs may subscribe from. Trusted: too wide, and who may subscribe
           * reaches what only this machine should.
           */
          allow: z.array(z.string().min(1)).default([]),
        })
        .prefault({}),
    })
    .prefault({}),
  ...declaredSections,
});

/** All settings, with units made plain: durations in milliseconds, sizes in bytes. */
export type Settings = z.output<typeof schema>;

/** What the caller gives: each value as text, by its setting's path, such as `flushInterval`. */
export type SettingFlags = Readonly<Record<string, string | undefined>>;

/** A setting that cannot be used. `message` names the setting, what was found and what is expected. */
export class BadSetting extends Error {
  override readonly name = 'BadSetting';
}

/**
 * Reads the settings.
 * @param flags From the command line; `config` names the file.
 * @throws BadSetting
 */
export function readSettings(flags: SettingFlags, environment: NodeJS.ProcessEnv): Settings {
  const { config, ...given } = flags;
  const path = config ?? environment['SNOWTRAIL_CONFIG'] ?? findConfigFile(environment);
  const file = path === undefined ? {} : readConfigFile(path);
  if ('noAuth' in file) throw new BadSetting('`noAuth` is a flag of the command line alone: no file opens a server');
  const merged = { ...file, ...fromEnvironment(environment), ...withoutAbsent(given) };
  const result = schema.safeParse(merged);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `  ${issue.path.join('.') || '(top level)'}: ${messageOf(issue)}`);
    throw new BadSetting(`settings that cannot be used${path === undefined ? '' : ` (file \`${path}\`)`}:\n${lines.join('\n')}`);
  }
  if (result.data.clock !== undefined && !isLoopback(result.data.listen)) {
    throw new BadSetting('a clock file is for tests: it is refused unless `listen` is a loopback address such as 127.0.0.1:4620');
  }
  if (result.data.noAuth === 'true' && !isLoopback(result.data.listen)) {
    throw new BadSetting('--no-auth lets anybody in: it is refused unless `listen` is a loopback address such as 127.0.0.1:4620');
  }
  if ((result.data.tlsCert === undefined) !== (result.data.tlsKey === undefined))
    throw new BadSetting('`tlsCert` and `tlsKey` belong together: give both, or neither');
  if (result.data.noAuth === 'true' && result.data.trustedProxies.length > 0)
    throw new BadSetting('--no-auth lets anybody in: it is refused where proxies bring others here (`trustedProxies`)');
  const { smtp } = result.data.delivery;
  return smtp === undefined ? result.data : { ...result.data, smtpPassword: readSmtpPassword(smtp, result.data.smtpPassword) };
}

/** The password of whoever logs in; `undefined` where nobody does. */
function readSmtpPassword(
  { host, tls, user, passwordFile }: NonNullable<Settings['delivery']['smtp']>,
  given: string | undefined,
): string | undefined {
  if (given !== undefined && passwordFile !== undefined)
    throw new BadSetting('`smtpPassword` and `delivery.smtp.passwordFile` both give the password: leave one of them out');
  const password = passwordFile === undefined ? given : readSecretFile(passwordFile);
  if ((user === undefined) !== (password === undefined))
    throw new BadSetting(
      '`delivery.smtp.user` needs a password, and a password needs a user: set both or none (`passwordFile`, SNOWTRAIL_SMTP_PASSWORD)',
    );
  if (password !== undefined && tls === 'none' && !isLoopback(`${host}:0`))
    throw new BadSetting(
      '`delivery.smtp.tls: none` would send the password for all to read: it is refused unless `host` is a loopback address',
    );
  return password;
}

/** What a file of one line holds. @throws BadSetting when it cannot be read, or by others as well */
function readSecretFile(path: string): string {
  let text: string;
  let mode: number;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BadSetting(`the file \`${path}\` cannot be read: ${(cause as Error).message}`, { cause });
  }
  if ((mode & 0o077) !== 0) throw new BadSetting(`the file \`${path}\` holds a secret that others can read: set its mode to 600`);
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '' || /[\r\n]/.test(secret)) throw new BadSetting(`the file \`${path}\` must hold one line, the secret`);
  return secret;
}

/** Of a name that is none, what is wrong with it. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

/** Milliseconds of `500ms`, `2s`, `5m`, `1h`, `7d`; `undefined` when the text is none of these. */
function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return undefined;
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd'];
  return Math.round(Number(match[1]) * unit);
}

/** True when only this machine can reach the address. */
export function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function findConfigFile(environment: NodeJS.ProcessEnv): string | undefined {
  const home = environment['XDG_CONFIG_HOME'] ?? (environment['HOME'] === undefined ? undefined : join(environment['HOME'], '.config'));
  const candidates = ['snowtrail.yaml', ...(home === undefined ? [] : [join(home, 'snowtrail/config.yaml')]), '/etc/snowtrail/config.yaml'];
  return candidates.find((path) => existsSync(path));
}

function readConfigFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BadSetting(`the configuration file \`${path}\` cannot be read: ${(cause as Error).message}`, { cause });
  }
  let parsed: unknown;
  try {
    parsed = parseYaml(text, refuseProto) ?? {};
  } catch (cause) {
    throw new BadSetting(`the configuration file \`${path}\` is not YAML that can be used: ${(cause as Error).message}`, { cause });
  }
  if (typeof parsed !== 'object' || Array.isArray(parsed))
    throw new BadSetting(`the configuration file \`${path}\` must hold settings by name`);
  return parsed as Record<string, unknown>;
}

/** The schema would pass over the name, and what somebody wrote under it: no setting is left out in silence (F62). */
function refuseProto(name: unknown, value: unknown): unknown {
  if (name === '__proto__') throw new Error('it holds the name `__proto__`, which nothing can have');
  return value;
}

/** The settings that may come from the environment: `SNOWTRAIL_` and the name in capitals. */
function fromEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = [
    'dataDir',
    'listen',
    'tlsCert',
    'tlsKey',
    'trustedProxies',
    'accountId',
    'organizationId',
    'region',
    'flushInterval',
    'digestInterval',
    'clock',
    'metricsToken',
    'smtpPassword',
  ];
  const found = names.flatMap((name) => {
    const value = environment[`SNOWTRAIL_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

function withoutAbsent(flags: SettingFlags): Record<string, string> {
  return Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
