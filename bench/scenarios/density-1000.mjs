import { density } from './density.mjs';

export const name = 'density-1000';
export const title = 'A thousand idle sessions';

export function run(scope) {
  return density(scope, scope.pick([100, 500, 1_000], [100, 200]));
}
