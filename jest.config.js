/** One definition for the levels of tests; `--selectProjects unit|http|medium|e2e` picks. */
const base = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.[tj]s$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2022',
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  // unbash is ESM only: Node loads it by require(esm), jest has to transform it.
  transformIgnorePatterns: ['/node_modules/(?!unbash/)'],
  moduleNameMapper: {
    '^@sandbox/client$': '<rootDir>/packages/client/src',
    '^@sandbox/(command-policy|config|counters|egress|errors|logging|orchestrator|redis|sessions|text)$': '<rootDir>/libs/$1/src',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/packages/.*/dist/'],
};

module.exports = {
  // A busy machine can be many times slower. A test that hangs is what this ends.
  testTimeout: 30_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testEnvironment: '<rootDir>/test/support/closed-environment.cjs',
      testMatch: ['<rootDir>/{apps,libs,packages}/**/*.spec.ts', '<rootDir>/test/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.http\\.spec\\.ts$'],
    },
    {
      ...base,
      displayName: 'http',
      testEnvironment: '<rootDir>/test/support/closed-environment.cjs',
      testMatch: ['<rootDir>/{apps,test}/**/*.http.spec.ts'],
    },
    { ...base, displayName: 'medium', testMatch: ['<rootDir>/test/medium/**/*.spec.ts'] },
    { ...base, displayName: 'long', testMatch: ['<rootDir>/test/long/**/*.spec.ts'] },
    { ...base, displayName: 'kubernetes', testMatch: ['<rootDir>/test/kubernetes/**/*.spec.ts'] },
    {
      ...base,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'],
      setupFilesAfterEnv: ['<rootDir>/test/support/service/leave-no-sandbox.ts'],
    },
  ],
};
