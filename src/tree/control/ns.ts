import type { Container } from '../../container/container.ts';
import { NAMESPACE_KINDS, type NamespaceKind } from '../../namespaces.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** Entry number of the first kind's link in `.ns`; the others follow in the table's order. */
const FIRST_KIND_ENTRY = 20;

/** The directory of a container's namespaces; before the start, of those asked for. */
export const ns: ControlEntry = {
  entry: 5,
  name: '.ns',
  mode: () => S_IFDIR | 0o755,
  present: (container) => container.init !== undefined || isAsking(container),
};

/** `.ns/KIND`: a link to the init's namespace; before the start an empty file that asks for a new one. */
export const nsKinds: readonly (ControlEntry & { readonly kind: NamespaceKind })[] = NAMESPACE_KINDS.map(
  ({ kind }, index) => ({
    entry: FIRST_KIND_ENTRY + index,
    name: kind,
    kind,
    mode: (container) => (isAsking(container) ? S_IFREG | 0o644 : S_IFLNK | 0o777),
    present: (container) =>
      container.init !== undefined || (isAsking(container) && (container.kinds ?? []).includes(kind)),
    below: `/ns/${kind}`,
  }),
);

/** Whether `.ns` holds wishes for the next start, not namespaces. */
export function isAsking(container: Container): boolean {
  return container.phase === 'declared' && container.kinds !== undefined;
}
