import { Field, type FieldOptions } from '../validation/fields';
import { rule, textFault } from '../validation/rules';

const MAX_METADATA_PAIRS = 16;
const MAX_METADATA_CHARACTERS = 256;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/**
 * A session's metadata, `{name: text}`: at most 16 pairs.
 * @param more added to the description
 */
export function Metadata({ more = '', ...field }: FieldOptions & { more?: string }): PropertyDecorator {
  const schema = {
    type: 'object',
    additionalProperties: { type: 'string', maxLength: MAX_METADATA_CHARACTERS },
    maxProperties: MAX_METADATA_PAIRS,
    description: `Your own notes about it: at most ${MAX_METADATA_PAIRS} names (1 to 64 of letters, digits, _ . -) with a text each${more}`,
    example: { team: 'blue' },
  };
  return Field(field, schema, isMetadata());
}

/** `name=value` of a query string, once or several times. */
export function MetadataFilter(field: FieldOptions): PropertyDecorator {
  return Field(field, { type: [String] }, isMetadataFilter());
}

function isMetadata(): PropertyDecorator {
  return rule('isMetadata', (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
    return pairsFault(Object.entries(value));
  });
}

function isMetadataFilter(): PropertyDecorator {
  return rule('isMetadataFilter', (value) => {
    const texts = [value].flat();
    if (!texts.every((text) => typeof text === 'string' && text.includes('='))) return 'must be name=value';
    return pairsFault(metadataPairs(texts as string[]));
  });
}

export function metadataPairs(filter: string | string[] = []): [string, string][] {
  return [filter].flat().map((text) => {
    const at = text.indexOf('=');
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

function pairsFault(pairs: [string, unknown][]): string | undefined {
  if (pairs.length > MAX_METADATA_PAIRS) return `must have at most ${MAX_METADATA_PAIRS} pairs`;
  for (const [name, value] of pairs) {
    if (!NAME.test(name)) return 'must have names of 1 to 64 letters, digits, _ . -, beginning with a letter or digit';
    const fault = textFault(value, 0, MAX_METADATA_CHARACTERS, true);
    if (fault !== undefined) return `${name} ${fault}`;
  }
  return undefined;
}
