import { describe, expect, test } from 'vitest';
import { OwnCgroups } from '../../../src/discovery/own-cgroups.ts';

const SESSION = '4:memory:/session-1\n0::/user/session-1/shell\n';
const SERVICE = '4:memory:/session-1\n0::/system/one.service\n';

function ofMachineIn(...texts: string[]) {
  let looks = 0;
  const own = new OwnCgroups(() => {
    looks += 1;
    return texts;
  });
  return { of: (text: string, nowMs = 0) => own.of(text, nowMs), looks: () => looks };
}

describe('OwnCgroups', () => {
  test('leaves out a cgroup that a process of the machine lives in, and keeps that of another hierarchy', () => {
    expect(ofMachineIn(SESSION).of(SERVICE)).toEqual(['', '/system/one.service']);
  });

  test('leaves out one that a process of the machine lives below', () => {
    expect(ofMachineIn(SESSION).of('4:memory:/session-1/mine\n0::/user/session-1\n')).toEqual(['/session-1/mine', '']);
  });

  test('takes no path for another that begins alike', () => {
    expect(ofMachineIn(SESSION).of('4:memory:/session-10\n0::/use\n')).toEqual(['/session-10', '/use']);
  });

  test('looks where the machine’s processes live once a second', () => {
    const own = ofMachineIn(SESSION);
    own.of(SERVICE, 0);
    own.of(SESSION, 999);
    expect(own.looks()).toBe(1);
    own.of(SERVICE, 1_000);
    expect(own.looks()).toBe(2);
  });

  test('looks at so many of them', () => {
    const far = [...Array.from({ length: 1_000 }, () => '0::/near\n'), '0::/far\n'];
    const own = ofMachineIn(...far);
    expect([own.of('0::/near\n'), own.of('0::/far\n')]).toEqual([[''], ['/far']]);
  });
});
