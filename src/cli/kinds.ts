import { isNamespaceKind, NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';
import { UsageError } from './command.ts';

/** The kinds in `net,uts`, as `--ns` takes them. Throws UsageError for none, or one that there is not. */
export function parseKinds(list: string): NamespaceKind[] {
  const words = list.split(',').filter((word) => word !== '');
  const unknown = words.find((word) => !isNamespaceKind(word));
  if (unknown !== undefined || words.length === 0) {
    const known = NAMESPACE_KINDS.map(({ kind }) => kind).join(',');
    throw new UsageError(`--ns takes a list of ${known}, not ${JSON.stringify(unknown ?? list)}`);
  }
  return words.filter(isNamespaceKind);
}
