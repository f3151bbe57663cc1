import type { Type } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import { Field, type FieldOptions } from '../../validation/fields';
import { rule } from '../../validation/rules';
import { validateDto } from '../../validation/validate-dto';

const MAX_EDITS = 100;

/** A list of 1 to 100 edits, each of which fits its class. */
export function TextEdits(edit: Type<object>, field: FieldOptions): PropertyDecorator {
  return Field(field, { type: [edit], minItems: 1, maxItems: MAX_EDITS }, isTextEdits(edit));
}

function isTextEdits(edit: Type<object>): PropertyDecorator {
  return rule('isTextEdits', (value) => {
    if (!Array.isArray(value) || value.length < 1 || value.length > MAX_EDITS) return `must be a list of 1 to ${MAX_EDITS} edits`;
    for (const [index, each] of value.entries()) {
      const fault = editFault(edit, each);
      if (fault !== undefined) return `[${index}]${fault}`;
    }
    return undefined;
  });
}

function editFault(edit: Type<object>, value: unknown): string | undefined {
  // validateDto takes undefined for an object without members. A list from JSON holds no undefined.
  try {
    validateDto(edit, value);
    return undefined;
  } catch (error) {
    const [first] = error instanceof SandboxError ? (error.errors ?? []) : [];
    if (first === undefined) throw error;
    return `${first.field === '' ? '' : `.${first.field}`} ${first.message}`;
  }
}
