import { describe, expect, test } from 'vitest';
import { differences } from '../../../src/cli/daemon-options.ts';

const RUNNING = ['node', 'main.js', 'daemon', '/namespaces', '--adapter', 'device', '--discovery', 'off'];

describe('differences', () => {
  test.each([
    { asked: {}, differing: [] },
    { asked: { discovery: 'off', adapter: 'device' }, differing: [] },
    { asked: { discovery: 'on' }, differing: ['--discovery on'] },
    { asked: { 'log-level': 'debug', discovery: 'off' }, differing: ['--log-level debug'] },
    { asked: { 'no-resend': true }, differing: ['--no-resend'] },
    { asked: { foreground: true }, differing: [] },
    { asked: { 'run-dir': '/run/other' }, differing: ['--run-dir /run/other'] },
  ])('of $asked', ({ asked, differing }) => {
    expect(differences(asked, RUNNING)).toEqual(differing);
  });

  test('tells none of a daemon whose command line is not known', () => {
    expect(differences({ discovery: 'on' }, [])).toEqual([]);
  });
});
