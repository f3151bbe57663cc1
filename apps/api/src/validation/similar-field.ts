/** The names that models and other services use for our fields. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  session_id: ['session', 'session_name', 'sandbox', 'sandbox_id', 'id', 'name'],
  command: ['cmd', 'commands', 'script', 'code', 'bash', 'shell_command', 'run'],
  working_dir: ['cwd', 'workdir', 'work_dir', 'working_directory', 'directory', 'dir', 'folder', 'pwd', 'path'],
  env: ['environment', 'envs', 'env_vars', 'environment_variables', 'variables'],
  stdin: ['input', 'standard_input'],
  timeout: ['timeout_ms', 'timeout_seconds', 'time_limit', 'max_time', 'deadline'],
  background: ['async', 'run_in_background', 'is_background', 'detach', 'daemon'],
  path: ['file', 'filename', 'file_name', 'file_path', 'directory', 'dir', 'folder', 'target', 'target_file'],
  content: ['contents', 'text', 'data', 'body', 'file_content', 'file_text'],
  data: ['input', 'text', 'stdin', 'content', 'chars'],
  old: ['old_string', 'old_str', 'old_text', 'search', 'find', 'before'],
  new: ['new_string', 'new_str', 'new_text', 'replace', 'replacement', 'after'],
  all: ['replace_all', 'global'],
  edits: ['edit', 'changes', 'replacements', 'old_string', 'old_str', 'new_string', 'new_str', 'old', 'new'],
  pattern: ['query', 'regex', 'regexp', 'search', 'text', 'q'],
  glob: ['include', 'files', 'file_pattern', 'name_pattern'],
  limit: ['max_results', 'head_limit', 'count', 'max'],
  depth: ['recursive', 'max_depth', 'levels'],
  start_line: ['offset', 'from_line', 'line_start', 'view_range', 'line'],
  end_line: ['to_line', 'line_end'],
  mode: ['permissions', 'chmod'],
  job_id: ['job', 'id', 'process_id', 'task_id'],
  from: ['source', 'src', 'old_path', 'path'],
  to: ['destination', 'dest', 'dst', 'target', 'new_path'],
};

/**
 * Finds the field that the author of an unknown one probably means. Only the text of the refusal
 * uses it: the API takes nothing under another name.
 * @param known the fields that exist
 * @returns undefined if none is similar
 */
export function similarField(unknown: string, known: Iterable<string>): string | undefined {
  const given = plain(unknown);
  const names = [...known];
  return names.find((name) => plain(name) === given) ?? names.find((name) => OTHER_NAMES[name]?.some((other) => plain(other) === given));
}

/** Makes `workingDir`, `working-dir` and `WORKING_DIR` equal. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}
