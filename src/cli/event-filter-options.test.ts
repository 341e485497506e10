import { describe, expect, test } from 'vitest';
import { filterInput } from './event-filter-options.ts';
import { UsageError } from './exit.ts';

const NOW_MS = Date.parse('2026-11-20T14:30:00Z');

describe('filterInput', () => {
  test('flags and query words mean the same', () => {
    const byFlag = filterInput(
      { from: '-1h', user: 'alice', source: 's3', error: 'AccessDenied', write: true, accounts: '111111111111,222222222222' },
      [],
      NOW_MS,
    );
    const byWord = filterInput(
      {},
      ['from:-1h user:alice', 'source:s3.amazonaws.com', 'error:AccessDenied', 'is:write', 'account:111111111111,222222222222'],
      NOW_MS,
    );
    expect(byFlag).toEqual({
      From: '2026-11-20T13:30:00.000Z',
      User: 'alice',
      Source: 's3.amazonaws.com',
      Error: 'AccessDenied',
      Write: true,
      AccountIds: ['111111111111', '222222222222'],
    });
    expect(byWord).toEqual(byFlag);
  });

  test('`--error` alone asks for any error', () => {
    expect(filterInput({ error: true }, [], NOW_MS)).toEqual({ Error: '*' });
  });

  test('a value keeps its own colons', () => {
    expect(filterInput({}, ['resource:arn:aws:s3:::logs'], NOW_MS)).toEqual({ Resource: 'arn:aws:s3:::logs' });
  });

  test.each(['alice', 'usr:alice', 'user:', ':alice', '__proto__:x'])('the word `%s` is refused with the words that are known', (word) => {
    expect(() => filterInput({}, [word], NOW_MS)).toThrow(UsageError);
    expect(() => filterInput({}, [word], NOW_MS)).toThrow(/is not a filter; expected words such as user:alice/);
  });

  test('one thing cannot be filtered twice, because both could not hold', () => {
    expect(() => filterInput({ user: 'alice' }, ['actor:bob'], NOW_MS)).toThrow(/a second time/);
  });
});
