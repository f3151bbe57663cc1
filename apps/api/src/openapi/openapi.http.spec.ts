import type { OpenAPIObject } from '@nestjs/swagger';
import { TestApp } from '../../../../test/support/test-app';

interface Operation {
  summary?: string;
  security?: unknown[];
  requestBody?: { content: Record<string, unknown> };
  parameters?: { name: string; in: string; required?: boolean }[];
  responses: Record<string, { description: string; content?: Record<string, { schema?: unknown; examples?: object }> }>;
}

const ROUTES = [
  'post /execute',
  'post /sessions',
  'get /sessions',
  'get /sessions/{session_id}',
  'delete /sessions/{session_id}',
  'patch /sessions/{session_id}',
  'get /sessions/{session_id}/network',
  'put /sessions/{session_id}/network',
  'post /network/check',
  'post /policy/check',
  'get /capabilities',
  'get /sessions/{session_id}/workspace',
  'delete /sessions/{session_id}/workspace',
  'get /sessions/{session_id}/workspace/content',
  'put /sessions/{session_id}/workspace/content',
  'post /sessions/{session_id}/workspace/upload',
  'post /sessions/{session_id}/jobs',
  'get /sessions/{session_id}/jobs',
  'get /sessions/{session_id}/jobs/{job_id}',
  'delete /sessions/{session_id}/jobs/{job_id}',
  'get /sessions/{session_id}/jobs/{job_id}/output',
  'post /sessions/{session_id}/jobs/{job_id}/stdin',
  'post /sessions/{session_id}/jobs/{job_id}/signal',
  'get /sessions/{session_id}/workspace/stat',
  'post /sessions/{session_id}/workspace/move',
  'post /sessions/{session_id}/workspace/mkdir',
  'get /sessions/{session_id}/workspace/search',
  'get /sessions/{session_id}/workspace/watch',
  'post /sessions/{session_id}/workspace/edit',
  'post /sessions/{session_id}/terminal',
  'get /sessions/{session_id}/ports',
  'post /sessions/{session_id}/ports/{port}',
  'delete /sessions/{session_id}/ports/{port}',
  'get /sessions/{session_id}/workspace/archive',
  'put /sessions/{session_id}/workspace/archive',
  'get /health',
  'get /ready',
];
const PUBLIC = ['get /health', 'get /ready'];

describe('API documentation', () => {
  let app: TestApp;
  let document: OpenAPIObject;
  let operations: Map<string, Operation>;

  beforeAll(async () => {
    app = await TestApp.start(
      {},
      { MAX_EXEC_TIMEOUT_SECONDS: '77', DEFAULT_EXEC_TIMEOUT_SECONDS: '7', API_KEY_HEADER: 'X-My-Key', JOB_MAX_SECONDS: '66' },
    );
    document = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenAPIObject;
    operations = new Map(
      Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation as Operation] as const),
      ),
    );
  });
  afterAll(() => app.stop());

  it('has a route when the service has it, and no other', () => {
    expect([...operations.keys()].sort()).toEqual([...ROUTES].sort());
  });

  it('has a summary, schemas and examples when it has a route', () => {
    for (const [route, { summary, responses }] of operations) {
      expect([route, summary]).toEqual([route, expect.any(String)]);
      for (const [status, { description, content }] of Object.entries(responses)) {
        expect([route, status, description]).toEqual([route, status, expect.stringMatching(/./)]);
        if (Number(status) < 400) continue;
        const problem = content!['application/problem+json']!;
        expect(problem.schema).toEqual({ $ref: '#/components/schemas/ProblemDto' });
        expect(Object.keys(problem.examples!).length).toBeGreaterThan(0);
      }
    }
  });

  it('has one success, with a body when the route answers one', () => {
    const successes = [...operations].map(([route, { responses }]) => [route, Object.keys(responses).filter((status) => status < '300')]);
    expect(Object.fromEntries(successes)).toEqual({
      ...Object.fromEntries(ROUTES.map((route) => [route, ['200']])),
      'delete /sessions/{session_id}/workspace': ['204'],
      'get /sessions/{session_id}/workspace/content': ['200', '206'],
      'put /sessions/{session_id}/workspace/content': ['204'],
      'post /sessions/{session_id}/workspace/upload': ['201'],
      'post /sessions/{session_id}/jobs': ['201'],
      'post /sessions/{session_id}/terminal': ['201'],
      'post /sessions/{session_id}/ports/{port}': ['201'],
      'delete /sessions/{session_id}/ports/{port}': ['204'],
      'delete /sessions/{session_id}/jobs/{job_id}': ['204'],
      'post /sessions/{session_id}/jobs/{job_id}/stdin': ['204'],
      'post /sessions/{session_id}/jobs/{job_id}/signal': ['204'],
    });
  });

  it('asks for a credential when the route is not public', () => {
    expect(document.security).toEqual([{ apiKey: [] }, { bearer: [] }]);
    expect(document.components?.securitySchemes).toMatchObject({
      apiKey: { type: 'apiKey', in: 'header', name: 'X-My-Key' },
      bearer: { type: 'http', scheme: 'bearer' },
    });
    for (const [route, { security, responses }] of operations) {
      expect([route, security]).toEqual([route, PUBLIC.includes(route) ? [] : undefined]);
      expect([route, '401' in responses, '429' in responses]).toEqual([route, !PUBLIC.includes(route), !PUBLIC.includes(route)]);
    }
  });

  it('has a parameter or body when the route takes it', () => {
    const parameters = (route: string): string[] => operations.get(route)!.parameters!.map(({ name, in: place }) => `${place} ${name}`);
    expect(parameters('get /sessions/{session_id}')).toEqual(['path session_id']);
    expect(parameters('get /sessions/{session_id}/workspace/content').sort()).toEqual([
      'header If-Match',
      'header If-None-Match',
      'header If-Range',
      'header Range',
      'path session_id',
      'query end_line',
      'query path',
      'query path_base64',
      'query start_line',
    ]);
    expect(parameters('get /sessions/{session_id}/workspace/search').sort()).toEqual([
      'path session_id',
      'query glob',
      'query limit',
      'query path',
      'query path_base64',
      'query pattern',
    ]);
    const bodies = (route: string): string[] => Object.keys(operations.get(route)!.requestBody!.content);
    for (const route of ['post /execute', ...['move', 'mkdir', 'edit'].map((call) => `post /sessions/{session_id}/workspace/${call}`)])
      expect([route, bodies(route)]).toEqual([route, ['application/json']]);
    expect(bodies('put /sessions/{session_id}/workspace/content').sort()).toEqual(['application/json', 'application/octet-stream']);
    expect(bodies('post /sessions/{session_id}/workspace/upload')).toEqual(['multipart/form-data']);
  });

  it('tells the limits of the deployment when it sets its own', () => {
    expect(document.components!.schemas!.StartJobDto).toMatchObject({ properties: { timeout: { minimum: 1, maximum: 66, default: 66 } } });
    expect(document.components!.schemas!.ExecuteDto).toMatchObject({
      required: ['session_id', 'command'],
      additionalProperties: false,
      properties: {
        timeout: { minimum: 1, maximum: 77, default: 7 },
        command: { minLength: 1, maxLength: 32_000 },
        session_id: { minLength: 1, maxLength: 256 },
        env: { additionalProperties: { type: 'string' } },
      },
    });
  });

  it('shows a page that loads only its own files when /docs is opened', async () => {
    for (const page of ['/docs', '/docs/']) {
      const response = await fetch(app.url + page);
      const html = await response.text();
      const policy = response.headers.get('content-security-policy')!;
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('upgrade-insecure-requests');
      expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
      const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
      expect(links).toEqual(
        expect.arrayContaining([expect.stringContaining('swagger-ui-bundle.js'), expect.stringContaining('swagger-ui.css')]),
      );
      for (const link of links) {
        const asset = await fetch(new URL(link, app.url + page));
        expect([link, asset.status, new URL(asset.url).origin]).toEqual([link, 200, app.url]);
        await asset.arrayBuffer();
      }
    }
  });
});
