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
  /** Whether it is there for whoever asks, whatever the query. */
  probe: boolean;
  /** Parameters of the query that have to be there. */
  needed: string[];
  json?: Schema;
}

interface Documented {
  requestBody?: { content: Record<string, { schema: Schema }> };
  parameters?: { name: string; in: string; required?: boolean }[];
}

/** A field that is ignored without a word would be one that its caller relies on. */
describe('A request with an unknown field', () => {
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
        // A path may also be given by its bytes, so the document requires neither of the two.
        needed: parameters.filter((each) => each.in === 'query' && (each.required || each.name === 'path')).map(({ name }) => name),
        json: requestBody?.content['application/json']?.schema,
      })),
    );
  });
  afterAll(() => app.stop());

  /** The object schemas that a body is made of, by name. */
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

  it('does not fit the schema of its body, whichever it is', () => {
    const objects = operations.flatMap(({ route, json }) => (json ? objectsIn(json, route) : []));
    expect([...new Set(objects.map(([name]) => name))].sort()).toEqual([
      'CreateSessionDto',
      'EditDto',
      'ExecuteDto',
      'MakeDirectoryDto',
      'MoveDto',
      'SignalDto',
      'StartJobDto',
      'TextEditDto',
      'UpdateSessionDto',
      'WriteContentDto',
    ]);
    for (const [name, { additionalProperties }] of objects) expect([name, additionalProperties]).toEqual([name, false]);
  });

  it('is refused with a 422 that names the field when it is in the body', async () => {
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

  it('is refused with a 422 that names the field when it is in the query', async () => {
    for (const { route, probe } of operations) {
      if (probe) continue;
      const errors = expect.arrayContaining([
        { field: 'no_such_field', message: expect.stringMatching(/^is not a known (field|parameter)/) },
      ]);
      expect(await problem(route, '?no_such_field=1')).toEqual([route, 422, 'VALIDATION_FAILED', errors]);
    }
  });
});
