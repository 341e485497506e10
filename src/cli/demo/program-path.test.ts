import { expect, test } from 'vitest';
import { programPath } from './program-path.ts';

test('a command to try names the program by its path from here, in a checkout and from elsewhere; an installed one by npx', () => {
  expect(programPath('/src/snowtrail/bin/snowtrail', '/src/snowtrail')).toBe('bin/snowtrail');
  expect(programPath('/src/snowtrail/bin/snowtrail', '/src/other')).toBe('../snowtrail/bin/snowtrail');
  expect(programPath('/home/me/node_modules/.bin/snowtrail', '/home/me')).toBe('npx snowtrail');
});
