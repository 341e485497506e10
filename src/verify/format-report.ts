/**
 * The report as text for people: each file with its verdict, totals as `aws cloudtrail validate-logs` words them, what was
 * trusted, what cannot be known.
 *
 * Names and messages come from files that somebody else wrote: control characters are shown as escapes, so that no file
 * name draws on the terminal (reliability.md A56).
 */
import type { Counts, FileKind, FileReport, Finding, VerifyReport } from './report.ts';

const KIND_WORDS: Readonly<Record<FileKind, string>> = {
  log: 'Log file',
  digest: 'Digest file',
  'backfill-digest': '(backfill) Digest file',
  receipt: 'Receipt',
  key: 'Public key',
  other: 'Object',
};

const TOTAL_WORDS: readonly (readonly [FileKind, string])[] = [
  ['digest', 'digest files'],
  ['backfill-digest', 'backfill digest files'],
  ['log', 'log files'],
  ['receipt', 'receipts'],
];

/** @param options.isVerbose Valid files, too; else only those with something to say. */
export function formatReport(report: VerifyReport, options: { readonly isVerbose?: boolean } = {}): string {
  const lines: string[] = [];
  const reasons = reasonsByKey(report.findings);
  for (const file of report.files) {
    const isQuiet = file.verdict === 'valid' || file.verdict === 'unchecked' || file.verdict === 'expired';
    if (isQuiet && !options.isVerbose) continue;
    lines.push(formatFile(file, reasons.get(file.key) ?? []));
  }
  const named = new Set(report.files.map(({ key }) => key));
  const general = report.findings.filter(({ key }) => key === undefined || !named.has(key));
  for (const finding of general) lines.push(formatFinding(finding));
  if (lines.length > 0) lines.push('');
  lines.push(...totals(report), ...trust(report), ...trails(report), '', 'Cannot be known from here:');
  for (const sentence of report.cannotKnow) lines.push(`  - ${printable(sentence)}`);
  lines.push('', printable(`${report.verdict.toUpperCase()} (exit ${report.exitCode}): ${report.summary}`));
  return `${lines.join('\n')}\n`;
}

function reasonsByKey(findings: readonly Finding[]): ReadonlyMap<string, readonly string[]> {
  const reasons = new Map<string, string[]>();
  for (const { key, message } of findings) {
    if (key === undefined) continue;
    const of = reasons.get(key);
    if (of === undefined) reasons.set(key, [message]);
    else if (!of.includes(message)) of.push(message);
  }
  return reasons;
}

function formatFile({ key, kind, verdict, reason }: FileReport, reasons: readonly string[]): string {
  // Its finding is about all files of the rule.
  if (verdict === 'expired') return [KIND_WORDS[kind], key, reason ?? verdict].map(printable).join('\t');
  const word = verdict === 'valid' || verdict === 'unchecked' || verdict === 'pending' ? verdict : verdict.toUpperCase();
  return [KIND_WORDS[kind], key, reasons.length === 0 ? word : `${word}: ${reasons.join('; ')}`].map(printable).join('\t');
}

function formatFinding({ level, message, trailARN, key }: Finding): string {
  const about = key ?? trailARN;
  return printable(
    `${level === 'note' || level === 'pending' ? level : level.toUpperCase()}: ${about === undefined ? '' : `${about}: `}${message}`,
  );
}

function totals({ counts }: VerifyReport): string[] {
  return TOTAL_WORDS.flatMap(([kind, words]) => {
    const of = counts[kind];
    const all = Object.values(of).reduce((sum, count) => sum + count, 0);
    if (all === 0) return kind === 'digest' || kind === 'log' ? [`0 ${words} found`] : [];
    return [`${of.valid}/${all} ${words} valid${notValid(of, words)}`];
  });
}

function notValid(counts: Counts, words: string): string {
  const invalid = counts.tampered + counts.missing + counts.unlisted;
  const parts = [
    invalid > 0 ? `, ${invalid} ${words} INVALID` : '',
    counts.unreadable > 0 ? `, ${counts.unreadable} could not be checked` : '',
    counts.pending > 0 ? `, ${counts.pending} pending` : '',
    counts.expired > 0 ? `, ${counts.expired} expired by lifecycle rules` : '',
    counts.unchecked > 0 ? `, ${counts.unchecked} not asked for` : '',
  ];
  return parts.join('');
}

function trust({ trust: { by, checkpointKeys, digestKeys }, checkpoints }: VerifyReport): string[] {
  const words = {
    pinned: 'a key that you pinned',
    state: 'a key that the state file knows',
    server: "the server's own word for its key",
    none: 'nothing',
  };
  return [
    `Trusted: ${words[by]}`,
    ...checkpointKeys.map((key) => `  ${printable(key)}`),
    ...digestKeys.map(({ fingerprint, from }) => `  digest key ${fingerprint} (${from})`),
    ...checkpoints.map(({ origin, size, from }) => printable(`Newest checkpoint: ${origin}, ${size} leaves (${from})`)),
  ];
}

function trails({ trails: all }: VerifyReport): string[] {
  return all.map(({ trailARN, receipts, newestReceipt, isLogging, records }) => {
    const newest = newestReceipt === null ? '' : `, newest of ${newestReceipt.createdAt}`;
    return printable(`Trail ${trailARN}: ${receipts} receipts${newest}, ${records} records, logging is ${isLogging ? 'on' : 'off'}`);
  });
}

/** The text with control and direction characters as escapes. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
