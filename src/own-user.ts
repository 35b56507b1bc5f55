/** Who runs this program: root, or the one user of a tree without root. */
export const OWN_UID = process.getuid?.() ?? 0;
