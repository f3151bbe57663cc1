import type { OpenAPIObject } from '@nestjs/swagger';
import { TestApp } from '../../../../test/support/test-app';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  allOf?: Schema[];
  oneOf?: Schema[];
  additionalProperties?: unknown;
}

interface Operation {
  /** `POST /sessions/{session_id}/jobs` */
  route: string;
  /** Whether the route answers without a session, whatever the query. */
  probe: boolean;
  /** The query parameters that are required. */
  needed: string[];
  json?: Schema;
}

interface Documented {
  requestBody?: { content: Record<string, { schema: Schema }> };
  parameters?: { name: string; in: string; required?: boolean }[];
}

/** The API never ignores an unknown field, because its caller relies on it. */
describe('an API that closes its requests', () => {
  let app: TestApp;
  let document: OpenAPIObject;
  let operations: Operation[];

  beforeAll(async () => {
    app = await TestApp.start();
    document = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenAPIObject;
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item as Record<string, Documented>).map(([method, { requestBody, parameters = [] }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        probe: path === '/health' || path === '/ready',
        // A caller may give a path by its bytes instead, so the document requires neither field.
        needed: parameters.filter((each) => each.in === 'query' && (each.required || each.name === 'path')).map(({ name }) => name),
        json: requestBody?.content['application/json']?.schema,
      })),
    );
  });
  afterAll(() => app.stop());

  /** The object schemas of which a body consists, by name. */
  function objectsIn(schema: Schema, name: string): [string, Schema][] {
    const { $ref, properties = {}, items = {}, allOf = [], oneOf = [] } = schema;
    if ($ref !== undefined) {
      const referred = $ref.replace('#/components/schemas/', '');
      return objectsIn(document.components!.schemas![referred] as Schema, referred);
    }
    if (Object.keys(schema).length === 0) return [];
    const inner = [...Object.values(properties), items, ...allOf, ...oneOf];
    const below = inner.flatMap((each) => objectsIn(each, `a part of ${name}`));
    return schema.properties ? [[name, schema], ...below] : below;
  }

  const url = (route: string): string => route.split(' ')[1]!.replace(/\{\w+\}/g, 'x');

  async function problem(route: string, query: string, body?: object): Promise<unknown> {
    const [method] = route.split(' ') as [string];
    const path = url(route) + query;
    const response = await (body ? app.json(method, path, body) : app.fetch(path, { method }));
    const { code, errors } = (await response.json()) as { code?: string; errors?: unknown };
    return [route, response.status, code, errors];
  }

  it('describes a body as invalid when it has an unknown field', () => {
    const objects = operations.flatMap(({ route, json }) => (json ? objectsIn(json, route) : []));
    expect([...new Set(objects.map(([name]) => name))].sort()).toEqual([
      'CheckNetworkDto',
      'CheckPolicyDto',
      'CreateSessionDto',
      'EditDto',
      'ExecuteDto',
      'ExposePortDto',
      'MakeDirectoryDto',
      'MoveDto',
      'SetNetworkDto',
      'SignalDto',
      'StartJobDto',
      'TextEditDto',
      'UpdateSessionDto',
      'WriteContentDto',
      'a part of CreateSessionDto',
    ]);
    for (const [name, { additionalProperties }] of objects) expect([name, additionalProperties]).toEqual([name, false]);
  });

  it('answers 422 with the field’s name when an unknown field is in the body', async () => {
    for (const { route, json, needed } of operations) {
      if (!json) continue;
      const errors = expect.arrayContaining([
        { field: 'no_such_field', message: expect.stringMatching(/^is not a known field/) as string },
      ]);
      expect(await problem(route, `?${needed.map((name) => `${name}=x`).join('&')}`, { no_such_field: 1 })).toEqual([
        route,
        422,
        'VALIDATION_FAILED',
        errors,
      ]);
    }
  });

  it('answers 422 with the field’s name when an unknown field is in the query', async () => {
    for (const { route, probe } of operations) {
      if (probe) continue;
      const errors = expect.arrayContaining([
        { field: 'no_such_field', message: expect.stringMatching(/^is not a known (field|parameter)/) },
      ]);
      expect(await problem(route, '?no_such_field=1')).toEqual([route, 422, 'VALIDATION_FAILED', errors]);
    }
  });
});
