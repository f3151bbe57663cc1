import { rule } from '../validation/rules';

/**
 * Requires a file's permissions in octal, as chmod takes them, without setuid, setgid and sticky
 * bits.
 */
export function IsFileMode(): PropertyDecorator {
  return rule('isFileMode', (value) =>
    typeof value === 'string' && /^0?[0-7]{3}$/.test(value)
      ? undefined
      : 'must be three octal digits, such as "755"; setuid, setgid and sticky bits are not set',
  );
}

/** @returns the permission bits; undefined if none are given */
export function fileMode(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 8);
}
