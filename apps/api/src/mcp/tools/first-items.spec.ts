import { firstItems } from './first-items';

describe('firstItems', () => {
  it.each([
    [[], 10, []],
    [['aa', 'bb'], 10, ['aa', 'bb']],
    [['aa', 'bb'], 9, ['aa']],
    [['a long one', 'b'], 3, ['a long one']],
  ])('gives of %j, when there is room for %i characters, %j', (items, max, expected) => {
    expect(firstItems(items, max)).toEqual(expected);
  });
});
