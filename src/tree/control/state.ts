import { frozenBy, isLive, type Container } from '../../container/container.ts';
import { freeze, thaw } from '../../container/freeze.ts';
import { settleIfEnded } from '../../container/life.ts';
import { start } from '../../container/start.ts';
import { stop } from '../../container/destroy.ts';
import { FsError, quoted } from '../../errno.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { DEFAULT_KINDS, isNamespaceKind, NAMESPACE_KINDS, type NamespaceKind } from '../../namespaces.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** What `.state` says: the phase, but `frozen` also below a frozen container. */
export function stateWord(container: Container): string {
  if (container.phase === 'running' && frozenBy(container)) return 'frozen';
  return container.phase;
}

export const state: ControlEntry = {
  entry: 2,
  name: '.state',
  mode: () => S_IFREG | 0o644,
  present: ({ phase }) => phase !== 'declared',
  text: (container) => `${stateWord(container)}\n`,
  async write(machine, container, request, text) {
    if (container.serial === ROOT_SERIAL) {
      throw new FsError('EBUSY', `Cannot write to .state: this is the machine itself; choose a container below it`);
    }
    const [word = '', list, ...rest] = text.split(/\s+/);
    if (rest.length === 0 && (list === undefined || word === 'running')) {
      switch (word) {
        case 'running':
          await settleIfEnded(machine, container);
          if (isLive(container) && list === undefined) await thaw(machine, container, request.caller);
          else await start(machine, container, request, list === undefined ? undefined : parseKinds(list));
          return;
        case 'frozen':
          await freeze(machine, container, request.caller);
          return;
        case 'stopped':
          await stop(machine, container, request.caller);
          return;
      }
    }
    throw new FsError(
      'EINVAL',
      `Cannot write ${quoted(text)} to .state: write running, running KIND,…, running +KIND,…, frozen or stopped`,
    );
  },
};

/** `mnt,uts` is exactly these; `+net` is those by default and this one. */
function parseKinds(list: string): NamespaceKind[] {
  const more = list.startsWith('+');
  const words = list
    .slice(more ? 1 : 0)
    .split(',')
    .filter((word) => word !== '');
  const known = NAMESPACE_KINDS.map(({ kind }) => kind).join(', ');
  if (words.length === 0) throw new FsError('EINVAL', `${quoted(list)} names no namespace; there are ${known}`);
  for (const word of words) {
    if (isNamespaceKind(word)) continue;
    throw new FsError('EINVAL', `${quoted(word)} is not a kind of namespace; there are ${known}`);
  }
  const asked = words.filter(isNamespaceKind);
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter(
    (kind) => asked.includes(kind) || (more && DEFAULT_KINDS.includes(kind)),
  );
}
