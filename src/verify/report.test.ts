import { describe, expect, test } from 'vitest';
import { formatReport, printable } from './format-report.ts';
import { ReportBuilder } from './report.ts';

describe('the report', () => {
  test('shows no control character of a file name or message', () => {
    expect(printable('a\u001b[2J\u0007\r\n\tb\u202ec')).toBe('a\\u001b[2J\\u0007\\u000d\\u000a\\u0009b\\u202ec');
    const report = new ReportBuilder();
    report.file({ key: 'x\u001b[31m\ny', kind: 'log', verdict: 'unlisted', reason: 'bad\u0000' });
    const text = formatReport(
      report.finish({
        source: 's',
        range: { from: null, to: null, regions: null },
        trust: { by: 'none', checkpointKeys: [], digestKeys: [] },
        checkpoints: [],
        trails: [],
        cannotKnow: [],
      }),
    );
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
    expect(text).toContain('Log file\tx\\u001b[31m\\u000ay\tUNLISTED: bad\\u0000\n');
    expect(text).toContain('0/1 log files valid, 1 log files INVALID');
  });

  test('keeps the worst verdict on a file, and every reason', () => {
    const report = new ReportBuilder();
    report.file({ key: 'k', kind: 'digest', verdict: 'valid' });
    report.file({ key: 'k', kind: 'digest', verdict: 'unreadable', reason: 'one' });
    report.file({ key: 'k', kind: 'digest', verdict: 'tampered', reason: 'two' });
    report.file({ key: 'k', kind: 'digest', verdict: 'valid' });
    const done = report.finish({
      source: '',
      range: { from: null, to: null, regions: null },
      trust: { by: 'none', checkpointKeys: [], digestKeys: [] },
      checkpoints: [],
      trails: [],
      cannotKnow: [],
    });
    expect(done.files).toEqual([{ key: 'k', kind: 'digest', verdict: 'tampered', reason: 'two' }]);
    expect(done.findings.map(({ message }) => message)).toEqual(['one', 'two']);
    expect(done.exitCode).toBe(1);
  });
});
