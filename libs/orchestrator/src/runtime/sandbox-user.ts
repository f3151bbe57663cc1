/** The uid and gid of all processes in a sandbox. */
export const SANDBOX_UID = 1000;
