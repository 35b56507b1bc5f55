import { readIfThere, type FileAccess } from '../../files.ts';

/** What has what we need, by the names that the machine's packages have. */
const PACKAGES = {
  fusermount: { apt: 'fuse3', dnf: 'fuse', pacman: 'fuse2', apk: 'fuse', zypper: 'fuse' },
  libfuse2: { apt: 'libfuse2', dnf: 'fuse-libs', pacman: 'fuse2', apk: 'fuse', zypper: 'libfuse2' },
  uidmap: { apt: 'uidmap', dnf: 'shadow-utils-subid', pacman: 'shadow', apk: 'shadow-subids', zypper: 'shadow' },
  runc: { apt: 'runc', dnf: 'runc', pacman: 'runc', apk: 'runc', zypper: 'runc' },
  staticC: {
    apt: 'gcc libc6-dev musl-tools',
    dnf: 'gcc glibc-static',
    pacman: 'gcc musl',
    apk: 'gcc musl-dev',
    zypper: 'gcc glibc-devel-static',
  },
  cxx: {
    apt: 'gcc g++ make python3',
    dnf: 'gcc gcc-c++ make python3',
    pacman: 'base-devel python',
    apk: 'build-base python3',
    zypper: 'gcc gcc-c++ make python3',
  },
} as const;

export type Needed = keyof typeof PACKAGES;

/** In whose family (`ID` or `ID_LIKE` of os-release(5)) which command installs. */
const INSTALLERS = [
  { families: ['debian', 'ubuntu'], names: 'apt', command: 'apt-get install' },
  { families: ['fedora', 'rhel', 'centos'], names: 'dnf', command: 'dnf install' },
  { families: ['arch'], names: 'pacman', command: 'pacman -S' },
  { families: ['alpine'], names: 'apk', command: 'apk add' },
  { families: ['suse', 'opensuse'], names: 'zypper', command: 'zypper install' },
] as const;

const OS_RELEASE = ['/etc/os-release', '/usr/lib/os-release'];

/** The command by which this machine gets what is needed; elsewhere the names that Debian has, for people to look up. */
export function install(files: FileAccess, ...needed: readonly Needed[]): string {
  const families = familiesIn(OS_RELEASE.map((file) => readIfThere(files, file)).find((text) => text !== undefined));
  const installer = INSTALLERS.find((row) => row.families.some((family) => families.includes(family)));
  const names = needed.map((each) => PACKAGES[each][installer?.names ?? 'apt']).join(' ');
  return installer ? `${installer.command} ${names}` : `install what Debian calls ${names}`;
}

function familiesIn(text = ''): string[] {
  return [...text.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap(([, value = '']) =>
    value.replaceAll(/["']/g, '').split(' '),
  );
}
