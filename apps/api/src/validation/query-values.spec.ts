import { IsString } from 'class-validator';
import { withIntegers } from './query-values';
import { IsIntegerFrom, Optional } from './rules';
import { validateDto } from './validate-dto';

class Base {
  @Optional()
  @IsIntegerFrom(1, 20)
  depth?: number;
}

class Dto extends Base {
  @Optional()
  @IsString()
  path?: string;
}

const read = (query: object): Dto => validateDto(Dto, withIntegers(Dto, query));

describe('withIntegers', () => {
  it('turns digits into a number when the field is an integer, and nothing else', () => {
    expect(read({ depth: '1', path: '1' })).toEqual({ depth: 1, path: '1' });
    expect(read({ depth: '20' })).toEqual({ depth: 20 });
    expect(read({})).toEqual({});
  });

  it.each(['', '0', '21', '-1', '+1', '01', '1.0', '1e1', '0x1', ' 1', '1 ', '١', 'one', '1'.repeat(400), ['1', '2']])(
    'refuses a value when it is no integer of the range: %j',
    (depth) => {
      expect(() => read({ depth })).toThrow(
        expect.objectContaining({
          errors: [{ field: 'depth', message: expect.stringMatching(/^must be an integer from 1 to 20, not /) as string }],
        }),
      );
    },
  );

  it('converts nothing when the value comes from a body', () => {
    expect(() => validateDto(Dto, { depth: '1' })).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
    expect(() => validateDto(Dto, { depth: 1.5 })).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
  });
});
