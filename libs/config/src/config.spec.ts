import { ConfigError, loadConfig, VARIABLES, type VariableName } from '@sandbox/config';

const KEY = { API_KEYS: 'a-key' };
const SECRET = '0123456789abcdef0123456789abcdef';

function problemsOf(env: NodeJS.ProcessEnv, options?: { needsAuth?: boolean }): readonly string[] {
  try {
    loadConfig(env, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig, for defaults,', () => {
  test('needs no variable but a key when all else has its default', () => {
    expect(loadConfig(KEY)).toMatchObject({
      APP_NAME: 'sandbox-api',
      HOST: '127.0.0.1',
      PORT: 8000,
      DEBUG: false,
      DOCKER_HOST: '',
      CHANNEL_DIRECTORY: '',
      DOCKER_TLS_VERIFY: '',
      DOCKER_CERT_PATH: '',
      API_KEYS: ['a-key'],
      API_KEY_HEADER: 'X-API-Key',
      JWT_ALGORITHM: 'HS256',
      jwtSecret: null,
      RATE_LIMIT_REQUESTS: 100,
      RATE_LIMIT_WINDOW_SECONDS: 60,
      SESSION_STORE: 'redis',
      SESSION_TTL_SECONDS: 600,
      DEFAULT_EXEC_TIMEOUT_SECONDS: 30,
      MAX_EXEC_TIMEOUT_SECONDS: 120,
      EXEC_MAX_OUTPUT_BYTES: 1024 ** 2,
      CONTAINER_IMAGE: 'python:3.12-slim',
      CONTAINER_MEM_LIMIT: 256 * 1024 ** 2,
      CONTAINER_MEMSWAP_LIMIT: null,
      CONTAINER_TMPFS_TMP_SIZE: 64 * 1024 ** 2,
      CONTAINER_TMPFS_WORKSPACE_SIZE: 128 * 1024 ** 2,
      WORKSPACE_MAX_FILE_SIZE_BYTES: 1024 ** 2,
      WORKSPACE_PERSIST_VOLUMES: false,
      CLEANUP_INTERVAL_SECONDS: 60,
      CLEANUP_MAX_CONTAINER_AGE_SECONDS: 900,
    });
  });

  test('has every variable when only a key is set', () => {
    expect(Object.keys(loadConfig(KEY)).sort()).toEqual([...Object.keys(VARIABLES), 'jwtSecret'].sort());
  });

  test('takes the default when a variable is empty or blank', () => {
    const blank = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '  ']));
    expect(loadConfig({ ...blank, ...KEY })).toEqual(loadConfig(KEY));
  });

  test('freezes the object and its lists when it has read them', () => {
    const config = loadConfig(KEY);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.API_KEYS)).toBe(true);
  });

  test('keeps its values when the environment changes later', () => {
    const env: NodeJS.ProcessEnv = { ...KEY };
    const config = loadConfig(env);
    env.API_KEYS = 'another';
    expect(config.API_KEYS).toEqual(['a-key']);
  });
});

describe('loadConfig, for values,', () => {
  test.each<[VariableName, string, unknown]>([
    ['PORT', '0', 0],
    ['PORT', ' 65535 ', 65535],
    ['DEBUG', 'TRUE', true],
    ['DEBUG', '1', true],
    ['DEBUG', 'off', false],
    ['WORKSPACE_PERSIST_VOLUMES', 'yes', true],
    ['API_KEYS', ' a , b ,, a ,', ['a', 'b']],
    ['ALLOWED_COMMANDS', 'ls,cat', ['ls', 'cat']],
    ['ALLOWED_COMMANDS', '*', ['*']],
    ['CONTAINER_MEM_LIMIT', '512m', 512 * 1024 ** 2],
    ['CONTAINER_MEM_LIMIT', '1G', 1024 ** 3],
    ['CONTAINER_MEM_LIMIT', '1gb', 1024 ** 3],
    ['CONTAINER_MEM_LIMIT', '268435456', 256 * 1024 ** 2],
    ['CONTAINER_MEM_LIMIT', '262144k', 256 * 1024 ** 2],
    ['CONTAINER_MEMSWAP_LIMIT', '256m', 256 * 1024 ** 2],
    ['WORKSPACE_MAX_FILE_SIZE_BYTES', '0', 0],
    ['CONTAINER_IMAGE', 'registry.example:5000/team/image:1.2@sha256', 'registry.example:5000/team/image:1.2@sha256'],
    ['API_KEY_HEADER', 'X-Custom_Key', 'X-Custom_Key'],
    ['JWT_ALGORITHM', 'HS512', 'HS512'],
    ['EXEC_SHELL', '', 'auto'],
    ['EXEC_SHELL', 'sh', 'sh'],
    ['EXEC_SHELL', 'bash', 'bash'],
  ])('reads %s=%j', (name, text, value) => {
    expect(loadConfig({ ...KEY, [name]: text })[name]).toEqual(value);
  });

  test.each<[VariableName, string]>([
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['PORT', '8000x'],
    ['PORT', '1e3'],
    ['DEBUG', 'maybe'],
    ['SESSION_STORE', 'postgres'],
    ['JWT_ALGORITHM', 'none'],
    ['JWT_ALGORITHM', 'RS256'],
    ['EXEC_SHELL', 'zsh'],
    ['API_KEY_HEADER', 'X Key'],
    ['API_KEY_HEADER', 'X-Key\r\nX-Other'],
    ['API_KEY_HEADER', 'Authorization'],
    ['DEPLOYMENT', 'Upper Case'],
    ['DEPLOYMENT', '-first'],
    ['DEPLOYMENT', 'x'.repeat(41)],
    ['CONTAINER_IMAGE', '--privileged'],
    ['CONTAINER_IMAGE', 'two words'],
    ['CONTAINER_MEM_LIMIT', '31m'],
    ['CONTAINER_MEM_LIMIT', '256q'],
    ['CONTAINER_MEM_LIMIT', '-256m'],
    ['CONTAINER_MEM_LIMIT', '1.5g'],
    ['CONTAINER_PIDS_LIMIT', '0'],
    ['CONTAINER_CPU_PERIOD', '999'],
    ['SESSION_TTL_SECONDS', '0'],
    ['RATE_LIMIT_REQUESTS', '0'],
    ['CLEANUP_INTERVAL_SECONDS', '99999999999999999999'],
  ])('names %s when it refuses %j', (name, text) => {
    expect(problemsOf({ ...KEY, [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} must`))]);
  });

  test('names every bad variable, and no value, when several are bad', () => {
    const bad = { PORT: 'hunter2-port', REDIS_PORT: 'hunter2-redis', DEBUG: 'hunter2-debug', CONTAINER_MEM_LIMIT: 'hunter2-memory' };
    const problems = problemsOf({ ...bad, JWT_SECRET: 'hunter2-short' });
    for (const name of [...Object.keys(bad), 'JWT_SECRET']) expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${name} `)));
    expect(problems).toHaveLength(5);
    expect(new ConfigError(problems).message).not.toContain('hunter2');
    expect(new ConfigError(problems).message).toContain('PORT');
  });

  test('never repeats a value when it refuses a variable', () => {
    const env = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, 'hunter2 \u0000']));
    expect(problemsOf(env).join()).not.toContain('hunter2');
  });
});

describe('loadConfig, for authentication,', () => {
  test('names both variables when no method is on', () => {
    expect(problemsOf({})).toEqual([expect.stringMatching(/API_KEYS.*JWT_SECRET/)]);
  });

  test('counts no key when API_KEYS has only blanks and commas', () => {
    expect(problemsOf({ API_KEYS: ' , ,' })).toEqual([expect.stringContaining('API_KEYS')]);
  });

  test('turns Bearer off when the secret is that of the documentation', () => {
    expect(problemsOf({ JWT_SECRET: 'change-me-in-production' })).toEqual([expect.stringContaining('no authentication method')]);
    expect(loadConfig({ ...KEY, JWT_SECRET: 'change-me-in-production' }).jwtSecret).toBeNull();
  });

  test('needs no key when a secret is set', () => {
    expect(loadConfig({ JWT_SECRET: SECRET })).toMatchObject({ jwtSecret: SECRET, API_KEYS: [] });
  });

  test('refuses a secret when it has under 32 bytes, even beside a key', () => {
    expect(problemsOf({ ...KEY, JWT_SECRET: SECRET.slice(1) })).toEqual([expect.stringMatching(/^JWT_SECRET .*32 bytes/)]);
  });

  test('counts bytes when a secret is not ASCII', () => {
    expect(loadConfig({ JWT_SECRET: 'é'.repeat(16) }).jwtSecret).toBe('é'.repeat(16));
  });

  test('needs no method when the process has no clients', () => {
    expect(problemsOf({}, { needsAuth: false })).toEqual([]);
  });
});

describe('loadConfig, for values that depend on each other,', () => {
  test('refuses the default timeout when it is over the longest', () => {
    expect(problemsOf({ ...KEY, DEFAULT_EXEC_TIMEOUT_SECONDS: '121' })).toEqual([expect.stringContaining('DEFAULT_EXEC_TIMEOUT_SECONDS')]);
    expect(problemsOf({ ...KEY, DEFAULT_EXEC_TIMEOUT_SECONDS: '120' })).toEqual([]);
  });

  test('refuses the soft limit of open files when it is over the hard one', () => {
    expect(problemsOf({ ...KEY, CONTAINER_ULIMIT_NOFILE_SOFT: '4097' })).toEqual([expect.stringContaining('CONTAINER_ULIMIT_NOFILE_SOFT')]);
  });

  test('refuses a swap limit when it allows swap', () => {
    expect(problemsOf({ ...KEY, CONTAINER_MEMSWAP_LIMIT: '512m' })).toEqual([expect.stringContaining('CONTAINER_MEMSWAP_LIMIT')]);
    expect(problemsOf({ ...KEY, CONTAINER_MEMSWAP_LIMIT: '256m' })).toEqual([]);
  });

  test('refuses tmpfs sizes when full ones would leave less than 32m of memory', () => {
    // 64m + 128m + 16m + 32m
    expect(problemsOf({ ...KEY, CONTAINER_MEM_LIMIT: '240m' })).toEqual([]);
    expect(problemsOf({ ...KEY, CONTAINER_MEM_LIMIT: '239m' })).toEqual([expect.stringContaining('CONTAINER_TMPFS_WORKSPACE_SIZE')]);
  });

  test('counts no memory for the workspace when it is a volume', () => {
    expect(problemsOf({ ...KEY, CONTAINER_MEM_LIMIT: '112m', WORKSPACE_PERSIST_VOLUMES: 'true' })).toEqual([]);
    expect(problemsOf({ ...KEY, CONTAINER_MEM_LIMIT: '111m', WORKSPACE_PERSIST_VOLUMES: 'true' })).toHaveLength(1);
  });
});
