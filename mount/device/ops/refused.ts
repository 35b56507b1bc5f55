import { refusal } from './operation.ts';

/**
 * Rows for what nsdir does not do. After one ENOSYS the kernel asks no more on this connection and helps itself, as
 * noted (fs/fuse/{file,dir,xattr,inode}.c).
 */
export const REFUSED_OPERATIONS = [
  refusal('OPENDIR', 'ENOSYS'), // directories are opened by the kernel and their listings cached
  refusal('RELEASEDIR', 'ENOSYS'), // never sent without OPENDIR
  refusal('FSYNC', 'ENOSYS'), // success: nothing is ever unwritten
  refusal('FSYNCDIR', 'ENOSYS'), // success
  refusal('ACCESS', 'ENOSYS'), // success; with default_permissions it is the kernel that decides, and this is not sent
  refusal('SETXATTR', 'ENOSYS'), // EOPNOTSUPP
  refusal('GETXATTR', 'ENOSYS'), // EOPNOTSUPP
  refusal('LISTXATTR', 'ENOSYS'), // EOPNOTSUPP
  refusal('REMOVEXATTR', 'ENOSYS'), // EOPNOTSUPP
  refusal('GETLK', 'ENOSYS'), // locks are the kernel's: POSIX_LOCKS and FLOCK_LOCKS are not negotiated
  refusal('SETLK', 'ENOSYS'),
  refusal('SETLKW', 'ENOSYS'),
  refusal('BMAP', 'ENOSYS'), // block 0
  refusal('IOCTL', 'ENOTTY'), // the error of an ioctl that the file does not know (ioctl(2))
  refusal('FALLOCATE', 'ENOSYS'), // EOPNOTSUPP
  refusal('LSEEK', 'ENOSYS'), // SEEK_DATA and SEEK_HOLE by the size
  refusal('COPY_FILE_RANGE', 'ENOSYS'), // copied by read and write
  refusal('COPY_FILE_RANGE_64', 'ENOSYS'), // tried as COPY_FILE_RANGE
  refusal('SETUPMAPPING', 'ENOSYS'), // virtiofs only
  refusal('REMOVEMAPPING', 'ENOSYS'),
  refusal('NOTIFY_REPLY', 'ENOSYS'), // the answer to NOTIFY_RETRIEVE, which is not used
  refusal('SYNCFS', 'ENOSYS'), // success
  refusal('TMPFILE', 'ENOSYS'), // EOPNOTSUPP
  refusal('STATX', 'ENOSYS'), // GETATTR
];
