import { expect, test } from 'vitest';
import { adaptConfig } from '../../../src/oci/config.ts';

const adapted = (config: object) => {
  const { text = 'null', kinds } = adaptConfig(JSON.stringify(config), '/nsdir-x/1/own') ?? {};
  return { config: JSON.parse(text) as unknown, kinds };
};

test('sets the cgroup, and leaves all else as it is', () => {
  const given = { ociVersion: '1.0.2', root: { path: 'rootfs' }, linux: { seccomp: { x: 1 }, cgroupsPath: '/mine' } };
  expect(adapted(given).config).toEqual({
    ...given,
    linux: { seccomp: { x: 1 }, cgroupsPath: '/nsdir-x/1/own', namespaces: [{ type: 'cgroup' }] },
  });
});

test('takes the terminal away, which nobody is at', () => {
  expect(adapted({ process: { terminal: true, args: ['sh'] } }).config).toMatchObject({
    process: { terminal: false, args: ['sh'] },
  });
});

test('tells the kinds of new namespaces; one with a path is somebody else’s', () => {
  const namespaces = [{ type: 'pid' }, { type: 'network', path: '/proc/1/ns/net' }, { type: 'mount', path: '' }];
  expect(adapted({ linux: { namespaces } }).kinds).toEqual(['mnt', 'pid', 'cgroup']);
  const own = [...namespaces, { type: 'cgroup', path: '/proc/1/ns/cgroup' }, { type: 'network' }];
  expect(adapted({ linux: { namespaces: own } }).kinds).toEqual(['mnt', 'net', 'pid']);
});

test.each(['', '{bad', '[]', 'null', '7'])('leaves what is no config to the runtime: %j', (text) => {
  expect(adaptConfig(text, '/x')).toBeUndefined();
});

test.each([
  { linux: 7 },
  { linux: { namespaces: 'pid' } },
  { linux: { namespaces: [7, null, 'pid'] } },
  { process: [] },
])('is not led astray by %j', (config) => {
  expect(adapted(config).kinds).toEqual(['cgroup']);
});
