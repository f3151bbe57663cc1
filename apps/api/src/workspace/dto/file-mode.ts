import { Field, type FieldOptions } from '../../validation/fields';
import { rule } from '../../validation/rules';

const MODE = /^0?[0-7]{3}$/;

/** A file's permissions in octal, as chmod takes them, without setuid, setgid and sticky bits. */
export function FileMode(field: FieldOptions): PropertyDecorator {
  return Field(field, { type: 'string', pattern: MODE.source }, isFileMode());
}

function isFileMode(): PropertyDecorator {
  return rule('isFileMode', (value) =>
    typeof value === 'string' && MODE.test(value)
      ? undefined
      : 'must be three octal digits, such as "755"; setuid, setgid and sticky bits are not set',
  );
}

/** @returns the permission bits; undefined if none are given */
export function fileMode(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 8);
}
