import type { Config } from '@sandbox/config';

/** Tells a model about the server as a whole. A client may show it. */
export function serverInstructions(config: Config): string {
  return [
    `Runs shell commands and handles files in isolated Linux sandboxes${config.EGRESS_ALLOW.length === 0 ? ' without network' : '; each reaches only names that its session allows'}.`,
    'A session, named by a session_id of your choosing, is one sandbox with files under /workspace; any call makes it where it is not there, so create_session is optional.',
    'Use one session_id for one piece of work, and the same one in all its calls.',
    'Each execute is a fresh shell: cd and export do not carry over to the next call, files do.',
    `A session idle for ${config.SESSION_TTL_SECONDS} seconds is removed, ${filesFate(config)}; delete_session removes it at once, with its files.`,
    'The resource sandbox://capabilities tells limits, the programs of the image, and what is left of quotas.',
  ].join('\n');
}

/** Says, as the end of a sentence, what happens to the files of a session that is removed. */
export function filesFate(config: Config): string {
  return config.WORKSPACE_PERSIST_VOLUMES ? 'but its files are kept for the next use of its name' : 'with its files';
}
