/** No two folders of the product import each other, not even by way of others. Tests may. */
module.exports = {
  forbidden: [{ name: 'no-cycles-of-folders', severity: 'error', scope: 'folder', from: {}, to: { circular: true } }],
  options: { ...require('./.dependency-cruiser.cjs').options, exclude: { path: ['\\.spec\\.ts$', '/testing/', '^test/'] } },
};
