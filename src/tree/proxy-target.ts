import type { Container } from '../container/container.ts';
import { chainOf, contains } from '../container/container.ts';
import type { EnteredBy } from '../container/entered.ts';
import type { Wish } from '../container/enter.ts';
import { FsError } from '../errno.ts';
import { isNamespaceKind } from '../namespaces.ts';
import { ns } from './control/ns.ts';
import { nsproxy } from './control/nsproxy.ts';
import { state } from './control/state.ts';

/** Where a link's text is read from. */
export interface LinkPlace {
  /** The container whose `.proxy` the link is in. */
  readonly directory: Container;
  /** The container whose directory the caller has at the mount point. */
  readonly viewRoot: Container;
  readonly mountPoint: string;
}

/**
 * What a symbolic link's text asks for: a container, its `.nsproxy` or `.state`, or one `.ns/KIND`. An absolute path is one of the
 * caller's; a relative one begins in `.proxy`, as of any link, or, without a leading `..`, beside it, where a shell stands
 * that says `ln -s web .proxy/$$`. ENOENT for what is not there, EINVAL for what lies elsewhere.
 */
export function resolveLink(text: string, { directory, viewRoot, mountPoint }: LinkPlace): Wish {
  const isAbsolute = text.startsWith('/');
  const names = (isAbsolute ? below(text, mountPoint) : text).split('/').filter((name) => name !== '' && name !== '.');
  if (!isAbsolute && names[0] === '..') names.shift();
  let container = isAbsolute ? viewRoot : directory;
  const top = contains(viewRoot, directory) ? viewRoot : directory;
  for (const [index, name] of names.entries()) {
    const by = partOf(names.slice(index));
    if (by) return { container, by };
    const next: Container | undefined = name === '..' ? outer(container, top) : container.children.get(name);
    if (!next) throw new FsError('ENOENT', `Cannot enter ${JSON.stringify(text)}: there is no container "${name}"`);
    container = next;
  }
  return { container, by: 'symlink' };
}

/** The text a link in `directory`'s `.proxy` has to lead to `container`, which is in it. */
export function linkText(directory: Container, container: Container): string {
  const names = chainOf(container).slice(chainOf(directory).length);
  return ['..', ...names.map(({ name }) => name)].join('/');
}

function below(text: string, mountPoint: string): string {
  if (text === mountPoint) return '';
  if (text.startsWith(`${mountPoint}/`)) return text.slice(mountPoint.length);
  throw new FsError('EINVAL', `Cannot enter ${JSON.stringify(text)}: it is not below ${mountPoint}`);
}

function outer(container: Container, top: Container): Container | undefined {
  return container === top ? container : container.parent;
}

function partOf([name, kind, ...rest]: readonly string[]): EnteredBy | undefined {
  if (name === nsproxy.name && kind === undefined) return 'nsproxy';
  if (name === state.name && kind === undefined) return 'state';
  return name === ns.name && kind !== undefined && isNamespaceKind(kind) && rest.length === 0 ? kind : undefined;
}
