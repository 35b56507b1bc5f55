/** Words of a space-separated list, such as `cgroup.controllers`. */
export function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** A flat keyed file (cgroup-v2.rst, "Interface Files"): one `KEY NUMBER` a line. */
export function parseFlatKeyed(text: string): Map<string, number> {
  return new Map(text.split('\n').flatMap((line) => keyed(line)));
}

function keyed(line: string): [string, number][] {
  const [key, value] = words(line);
  return key === undefined || value === undefined ? [] : [[key, Number(value)]];
}
