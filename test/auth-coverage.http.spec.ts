import type { Express } from 'express';
import { TestApp } from './support/test-app';

/**
 * The routes that anybody may call. Every other route that the router knows needs a credential,
 * whether the API's documentation names it or not.
 */
const PUBLIC = ['GET /health', 'GET /ready'];

/** Routes to programs. They answer no preflight either. */
const OF_PROGRAMS = /\/proxy(\/|$)/;

interface RouterLayer {
  route?: { path: string; stack: { method: string }[] };
}

function routesOf(app: Express): string[] {
  const layers = (app as unknown as { router: { stack: RouterLayer[] } }).router.stack;
  const routes = layers.flatMap(({ route }) => (route ? route.stack.map(({ method }) => `${method.toUpperCase()} ${route.path}`) : []));
  // Any other wildcard belongs to a middleware. What it lets through reaches no handler. fetch
  // cannot send CONNECT and TRACE.
  return [...new Set(routes)].filter((route) => (!route.includes('*') || OF_PROGRAMS.test(route)) && !/^(CONNECT|TRACE) /.test(route));
}

describe('the API', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start({ readiness: { checkReadiness: async () => ({ docker: 'ok', store: 'ok', image: 'ok' }) } });
  });
  afterAll(() => app.stop());

  it('asks for a credential when a route is not public', async () => {
    const routes = routesOf(app.app.getHttpAdapter().getInstance() as Express);
    expect(routes).toEqual(expect.arrayContaining([...PUBLIC, 'POST /execute', 'DELETE /sessions/:session_id']));
    expect(routes.some((route) => route.includes('/mcp'))).toBe(true);
    expect(routes.filter((route) => OF_PROGRAMS.test(route)).length).toBeGreaterThan(10);
    for (const route of routes) {
      const [method, path] = route.split(' ') as [string, string];
      const documentation = /^\/(docs|openapi)/.test(path);
      const url = path
        .replace(/:\w+/g, 'x')
        .replace(/\{.*\}/, '')
        .replace(/\*\w+/, 'x');
      const { status } = await fetch(app.url + url, { method });
      // A browser sends no credential with a preflight (Fetch standard). A preflight reaches no
      // handler of ours.
      const open = PUBLIC.includes(route) || documentation || (method === 'OPTIONS' && !OF_PROGRAMS.test(route));
      expect([route, status === 401]).toEqual([route, !open]);
    }
  });
});
