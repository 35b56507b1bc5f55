import { describe, expect, test } from 'vitest';
import type { FsError } from '../../../src/errno.ts';
import { pathOf } from '../../../src/container/container.ts';
import { linkText, resolveLink } from '../../../src/tree/proxy-target.ts';
import { registryOf } from '../../support/registry-of.ts';

const mountPoint = '/namespaces';
const { at } = registryOf('web/job/deep', 'other');

function resolve(text: string, directory = '', viewRoot = ''): string {
  try {
    const { container, by } = resolveLink(text, { directory: at(directory), viewRoot: at(viewRoot), mountPoint });
    return `${pathOf(container) || '/'} ${by}`;
  } catch (error) {
    return (error as FsError).errno;
  }
}

describe('resolveLink', () => {
  test.each([
    ['/namespaces/web', 'web symlink'],
    ['/namespaces/web/', 'web symlink'],
    ['/namespaces//web/./job', 'web/job symlink'],
    ['/namespaces/web/../other', 'other symlink'],
    ['/namespaces/web/.nsproxy', 'web nsproxy'],
    ['/namespaces/web/job/.ns/net', 'web/job net'],
    ['../web', 'web symlink'],
    ['web/job', 'web/job symlink'],
    ['./web', 'web symlink'],
    ['/namespaces', '/ symlink'],
    ['../../../web', 'web symlink'],
    ['/etc', 'EINVAL'],
    ['/namespacesx/web', 'EINVAL'],
    ['/namespaces/none', 'ENOENT'],
    ['/namespaces/web/.ns/disk', 'ENOENT'],
    ['/namespaces/web/.ns', 'ENOENT'],
    ['/namespaces/web/.state', 'web state'],
    ['/namespaces/web/.stat', 'ENOENT'],
    ['/namespaces/web/.nsproxy/x', 'ENOENT'],
    ['', '/ symlink'],
  ])('%j on the machine is %s', (text, answer) => {
    expect(resolve(text)).toBe(answer);
  });

  test.each([
    ['/namespaces/job', 'web', 'web', 'web/job symlink'],
    ['../job', 'web', 'web', 'web/job symlink'],
    ['/namespaces/other', 'web', 'web', 'ENOENT'],
    ['../../other', 'web', 'web', 'ENOENT'],
    ['/namespaces/../other', 'web', 'web', 'ENOENT'],
    ['/namespaces/other', 'web', '', 'other symlink'],
    ['../../other', 'web', '', 'other symlink'],
  ])('%j in the .proxy of %j, for who has %j at the mount point, is %s', (text, directory, viewRoot, answer) => {
    expect(resolve(text, directory, viewRoot)).toBe(answer);
  });
});

describe('linkText', () => {
  test.each([
    ['', 'web', '../web'],
    ['', 'web/job/deep', '../web/job/deep'],
    ['web', 'web/job', '../job'],
    ['web/job', 'web/job', '..'],
  ])('in %j to %j is %j, and leads back', (directory, container, text) => {
    expect(linkText(at(directory), at(container))).toBe(text);
    expect(resolve(text, directory)).toBe(`${container} symlink`);
  });
});
