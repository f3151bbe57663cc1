/**
 * The rules for imports: apps -> orchestrator -> sessions, command-policy -> redis -> config,
 * counters, errors -> egress, text.
 */
const MAY_IMPORT = {
  errors: [],
  egress: [],
  config: ['egress', 'text'],
  logging: [],
  text: [],
  counters: [],
  redis: ['config', 'errors'],
  'command-policy': ['errors', 'text'],
  sessions: ['redis', 'config', 'counters', 'errors', 'text'],
  orchestrator: ['sessions', 'command-policy', 'config', 'egress', 'errors', 'text'],
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
      name: 'the-client-knows-no-server',
      comment: 'It is published, and has only what its own package.json names.',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^(packages/client/src/|node_modules/(openapi-fetch|openapi-typescript-helpers|eventsource-parser)/)' },
    },
    {
      name: 'the-command-line-knows-the-client-alone',
      severity: 'error',
      from: { path: '^apps/cli/' },
      to: { path: '^libs/' },
    },
    {
      name: 'no-server-knows-the-client',
      severity: 'error',
      from: { path: '^(apps/(api|cleanup)|libs)/' },
      to: { path: '^packages/' },
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
      name: 'runtimes-are-behind-their-port',
      comment: 'createSandboxRuntime alone chooses a runtime.',
      severity: 'error',
      from: {
        path: '^libs/orchestrator/src/',
        pathNot: ['^libs/orchestrator/src/runtime/', '^libs/orchestrator/src/index\\.ts$', '\\.spec\\.ts$'],
      },
      to: { path: '^libs/orchestrator/src/runtime/(docker|kubernetes)/' },
    },
    {
      name: 'no-runtime-knows-another',
      severity: 'error',
      from: { path: '^libs/orchestrator/src/runtime/(docker|kubernetes)/' },
      to: { path: '^libs/orchestrator/src/runtime/(docker|kubernetes)/', pathNot: '^libs/orchestrator/src/runtime/$1/' },
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
      from: { path: '^libs/orchestrator/src/(commands|workspace|jobs|terminals|ports|keepers)/' },
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
      comment: 'Configuration and error codes are plain data, usable without Nest. A parser is no framework.',
      severity: 'error',
      from: { path: '^libs/(config|errors)/' },
      to: { path: '^node_modules/', pathNot: '^node_modules/js-yaml/' },
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
    exclude: { path: '^packages/[^/]+/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['require', 'import', 'node', 'default'],
    },
  },
};
