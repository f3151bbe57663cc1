/**
 * The rules for imports: apps -> orchestrator -> sessions, command-policy -> redis -> config,
 * counters, errors, text.
 */
const MAY_IMPORT = {
  errors: [],
  config: [],
  logging: [],
  text: [],
  counters: [],
  redis: ['config', 'errors'],
  'command-policy': ['errors', 'text'],
  sessions: ['redis', 'config', 'counters', 'errors', 'text'],
  orchestrator: ['sessions', 'command-policy', 'config', 'errors', 'text'],
};

const arrows = Object.entries(MAY_IMPORT).map(([library, allowed]) => ({
  name: `${library}-knows-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^libs/${library}/` },
  to: { path: '^(libs|apps)/', pathNot: `^libs/(${[library, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'no-way-past-an-index',
      comment: 'A library is what its index.ts exports.',
      severity: 'error',
      from: { path: '^(?:apps|libs|test)/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'no-sideways-between-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'only-docker-knows-dockerode',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/orchestrator/src/runtime/docker/' },
      to: { path: '^node_modules/(@types/)?(dockerode|docker-modem)/' },
    },
    {
      name: 'docker-is-behind-its-port',
      comment: 'createSandboxRuntime alone chooses a runtime.',
      severity: 'error',
      from: {
        path: '^libs/orchestrator/src/',
        pathNot: ['^libs/orchestrator/src/runtime/', '^libs/orchestrator/src/index\\.ts$', '\\.spec\\.ts$'],
      },
      to: { path: '^libs/orchestrator/src/runtime/docker/' },
    },
    {
      name: 'bytes-and-paths-are-leaves',
      severity: 'error',
      from: { path: '^libs/orchestrator/src/(bytes|paths)/' },
      to: { path: '^libs/orchestrator/src/', pathNot: '^libs/orchestrator/src/$1/' },
    },
    {
      name: 'channel-is-a-leaf',
      comment: 'It knows frames and requests, and neither sessions nor engines.',
      severity: 'error',
      from: { path: '^libs/orchestrator/src/channel/' },
      to: { path: '^libs/orchestrator/src/', pathNot: '^libs/orchestrator/src/(channel|bytes|paths)/' },
    },
    {
      name: 'calls-enter-and-know-no-runtime',
      comment: 'A call gets into its sandbox by entering/, whatever runs the sandbox.',
      severity: 'error',
      from: { path: '^libs/orchestrator/src/(commands|workspace|jobs|terminals|keepers)/' },
      to: { path: '^libs/orchestrator/src/(runtime|pool)/' },
    },
    {
      name: 'only-the-store-knows-redis',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/redis/', '^libs/sessions/src/redis/'] },
      to: { path: '^node_modules/ioredis/' },
    },
    {
      name: 'no-framework-in-the-ground-floor',
      comment: 'Configuration and error codes are plain data, usable without Nest.',
      severity: 'error',
      from: { path: '^libs/(config|errors)/' },
      to: { path: '^node_modules/' },
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^(test|bench)/', '\\.spec\\.ts$'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { pathNot: '^node_modules/' } },
    },
    {
      name: 'nothing-unresolved',
      comment: 'What is not found is not checked either.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['require', 'import', 'node', 'default'],
    },
  },
};
