import { decodeBase64 } from '@sandbox/text';
import { type GivenPath } from '@sandbox/orchestrator';
import { Field, type FieldOptions } from '../../validation/fields';
import { rule, textFault } from '../../validation/rules';

/** A path in one of the two forms that a request may give. */
export interface PathFields {
  readonly path?: string;
  readonly path_base64?: string;
}

/**
 * Reads a path from fields that IsPath and IsPathBytes have checked.
 * @returns the root if there is none
 */
export function givenPath({ path = '', path_base64 }: PathFields): GivenPath {
  return path_base64 === undefined ? path : Buffer.from(path_base64, 'base64');
}

/**
 * A path that is text. The orchestrator checks where it leads.
 * @param required whether there has to be a path, in this field or in the one for its bytes. There
 *   may never be both.
 */
export function Path({ required, ...field }: { required: boolean } & Omit<FieldOptions, 'optional'>): PropertyDecorator {
  return Field(field, { type: 'string', required: false }, isPath(required));
}

/** A path that is given by its bytes. The field may always be absent. */
export function PathBytes(): PropertyDecorator {
  const description =
    'In place of the field without `_base64`: the exact bytes of a path that is not UTF-8, in base64 (RFC 4648, section 4)';
  return Field({ description, example: 'Y2Fm6Q==' }, { type: 'string', required: false }, isPathBytes());
}

function isPath(required: boolean): PropertyDecorator {
  return rule('isPath', (value, field, others) => {
    const bytes = `${field}_base64`;
    if (value === undefined) return required && others[bytes] === undefined ? `is missing: give it, or ${bytes}` : undefined;
    if (others[bytes] !== undefined) return `does not go with ${bytes}: give one of them`;
    return textFault(value, 0, Number.POSITIVE_INFINITY, true);
  });
}

function isPathBytes(): PropertyDecorator {
  return rule('isPathBytes', (value) => {
    if (value === undefined || (typeof value === 'string' && decodeBase64(value) !== undefined)) return undefined;
    return 'must be base64 in the standard alphabet, with its padding; in a URL + is %2B';
  });
}
