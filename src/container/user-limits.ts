/** Containers that one user may own. */
const CONTAINERS_PER_UID = 4096;

/** Levels at which a user may have containers. */
const DEPTH_PER_UID = 64;

/** Processes, threads too, with which the containers of a user make no more. */
const PROCESSES_PER_UID = 16_384;

/** Open `.events` of one user. */
const EVENTS_PER_UID = 1024;

/** Control files that one user has open at once. */
const FILES_PER_UID = 1024;

/** What one user may have in root's tree; root himself may have what the machine gives. */
export interface UserLimits {
  readonly containers: number;
  readonly depth: number;
  readonly processes: number;
  readonly events: number;
  readonly files: number;
}

export const USER_LIMITS: UserLimits = {
  containers: CONTAINERS_PER_UID,
  depth: DEPTH_PER_UID,
  processes: PROCESSES_PER_UID,
  events: EVENTS_PER_UID,
  files: FILES_PER_UID,
};
