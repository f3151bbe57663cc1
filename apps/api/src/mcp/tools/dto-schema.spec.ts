import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { argumentsSchema, resultSchema, withoutWords } from './dto-schema';

class Inner {
  @ApiProperty({ type: 'integer' })
  size: number;
}

class Outer {
  @ApiProperty({ description: 'a name', minLength: 1, example: 'x' })
  name: string;

  @ApiProperty({ type: [Inner] })
  list: Inner[];

  @ApiProperty({ type: Inner, description: 'with a description of its own' })
  one: Inner;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string', example: 'y' } })
  map?: Record<string, string>;

  @ApiProperty({ type: 'integer', nullable: true, description: 'null while it runs' })
  code: number | null;

  @ApiProperty({ enum: ['a', 'b'], nullable: true })
  choice: 'a' | 'b' | null;
}

class Undocumented {
  name: string;
}

const INNER = { type: 'object', properties: { size: { type: 'integer' } }, required: ['size'], additionalProperties: false };

describe('argumentsSchema', () => {
  it('makes one closed, self-contained JSON Schema of a class', () => {
    expect(argumentsSchema(Outer)).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string', description: 'a name', minLength: 1 },
        list: { type: 'array', items: INNER },
        one: { ...INNER, description: 'with a description of its own' },
        code: { type: ['integer', 'null'], description: 'null while it runs' },
        choice: { type: ['string', 'null'], enum: ['a', 'b', null] },
        map: { type: 'object', additionalProperties: { type: 'string' } },
      },
      required: ['name', 'list', 'one', 'code', 'choice'],
      additionalProperties: false,
    });
  });

  it('does not take a class without documented properties for one that has none', () => {
    expect(() => argumentsSchema(Undocumented)).toThrow('Undocumented');
  });
});

describe('resultSchema', () => {
  it('says what may be there, and is open', () => {
    const inner = { type: 'object', properties: { size: { type: 'integer' } } };
    expect(resultSchema(Outer)).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 1 },
        list: { type: 'array', items: inner },
        one: inner,
        code: { type: ['integer', 'null'] },
        choice: { type: ['string', 'null'] },
        map: { type: 'object', additionalProperties: { type: 'string' } },
      },
    });
  });
});

describe('withoutWords', () => {
  it('takes descriptions away, down to the last, and nothing else', () => {
    const items = { type: 'object', description: 'x', properties: { description: { type: 'string', description: 'y' } } };
    expect(withoutWords({ type: 'array', maxItems: 2, description: 'z', items })).toEqual({
      type: 'array',
      maxItems: 2,
      items: { type: 'object', properties: { description: { type: 'string' } } },
    });
  });
});
