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
  it('makes one closed schema without references when a class has documented properties', () => {
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

  it('throws when a class has no documented properties', () => {
    expect(() => argumentsSchema(Undocumented)).toThrow('Undocumented');
  });
});

describe('resultSchema', () => {
  it('makes an open schema of names and types when it is for a result', () => {
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
  it('removes every description, and nothing else, when parts have some too', () => {
    const items = { type: 'object', description: 'x', properties: { description: { type: 'string', description: 'y' } } };
    expect(withoutWords({ type: 'array', maxItems: 2, description: 'z', items })).toEqual({
      type: 'array',
      maxItems: 2,
      items: { type: 'object', properties: { description: { type: 'string' } } },
    });
  });
});
