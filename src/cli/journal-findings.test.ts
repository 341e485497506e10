import { expect, test } from 'vitest';
import { ReportBuilder } from '../verify/report.ts';
import { damageFindings } from './journal-findings.ts';

test('damage of the journal makes the verdict 1, and the range and the file are named (F08, F09)', () => {
  const report = new ReportBuilder();
  for (const finding of damageFindings({
    Damage: [{ From: '4', To: '6', File: 'journal/1.log', Reason: 'the frame at byte 99 is damaged' }],
  }))
    report.add(finding);
  const trust = { by: 'none', checkpointKeys: [], digestKeys: [] } as const;
  const range = { from: null, to: null, regions: null };
  expect(report.finish({ source: '', range, trust, checkpoints: [], trails: [], cannotKnow: [] })).toMatchObject({
    exitCode: 1,
    summary: 'tampered: journal entries 4 to 6 cannot be read: journal/1.log: the frame at byte 99 is damaged',
  });
});
