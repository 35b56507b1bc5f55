/** One line of /proc/PID/mountinfo (proc(5)), escapes undone. */
export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of st_dev. */
  readonly device: string;
  /** The path inside the file system that is the root of this mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** Every well-formed line, in the kernel's order: what was mounted later, and may hide others, comes later. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ');
  // Optional fields stand between the options and a lone dash.
  const dash = fields.indexOf('-', 6);
  const [id, parent, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = fields.slice(dash + 1);
  if (dash < 0 || options === undefined || mountPoint === undefined || superOptions === undefined) return undefined;
  return {
    id: Number(id),
    parent: Number(parent),
    device: device ?? '',
    root: unescapeOctal(root ?? ''),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(','),
    type: unescapeOctal(type ?? ''),
    source: unescapeOctal(source ?? ''),
    superOptions: unescapeOctal(superOptions).split(','),
  };
}

/** Undoes the kernel's `mangle_path`: space, tab, newline, backslash and `#` are written as `\` and three octal digits. */
export function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
