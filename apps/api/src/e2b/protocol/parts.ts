import { Field, type FieldOptions } from '../../validation/fields';
import { rule, textFault } from '../../validation/rules';
import { whatCame } from '../../validation/what-came';

/** A member whose own DTO, or the reader of the message, checks it. */
export function Part(field: FieldOptions = { optional: true }): PropertyDecorator {
  return Field(
    field,
    {},
    rule('isPart', () => undefined),
  );
}

/** A list of texts without NUL. */
export function Texts({ maxItems, max, ...field }: FieldOptions & { maxItems: number; max: number }): PropertyDecorator {
  const schema = { type: 'array', items: { type: 'string', maxLength: max }, maxItems };
  const fault = (value: unknown): string | undefined => {
    if (!Array.isArray(value)) return `must be a list, not ${whatCame(value, false)}`;
    if (value.length > maxItems) return `must have at most ${maxItems} items, not ${value.length}`;
    const first = value.map((each: unknown) => textFault(each, 0, max, false)).find((each) => each !== undefined);
    return first === undefined ? undefined : `must hold texts, and one ${first}`;
  };
  return Field(field, schema, rule('isTexts', fault));
}
