import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import type { OpenAPIObject } from '@nestjs/swagger';
import { CommandsService, JobsService, type SessionEntrance, SessionsService } from '@sandbox/orchestrator';
import { type CommandPolicy } from '@sandbox/command-policy';
import { type SessionStore, userFromApiKey } from '@sandbox/sessions';
import { loadConfig } from '@sandbox/config';
import { type PropertySchema, requiredExamples, schemaCases } from '../../../../test/support/schema-cases';
import { API_KEY, TestApp } from '../../../../test/support/test-app';
import { SandboxTools } from '../mcp/tools/sandbox-tools';

/** A configuration in which every limit differs from the default. */
const LIMITS = {
  EGRESS_ALLOW: 'packages',
  MAX_EXEC_TIMEOUT_SECONDS: '66',
  JOB_MAX_SECONDS: '77',
  MAX_SESSION_TTL_SECONDS: '7777',
  MAX_SESSION_CPUS: '0.75',
  MAX_SESSION_PIDS: '99',
  MAX_SESSION_MEMORY: '300m',
  ALLOWED_IMAGES: 'node:24',
  ALLOW_PERSISTENT_SESSIONS: 'true',
  MAX_SESSION_DISK: '1024g',
};

/** Fields with a limit in bytes. A schema cannot say that; its length holds for ASCII. */
const OF_BYTES: readonly string[] = ['stdin', 'data'];
const MAX_TIME_MS = 60_000;

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: PropertySchema;
  example?: unknown;
}

interface Operation {
  route: string;
  parameters: Parameter[];
  body?: PropertySchema;
}

/** Makes a request with one field that may be at fault. Returns the fields that are. */
type Send = (field: string, value: unknown) => Promise<string[]>;

/** Finds values about which a schema and the service differ. */
async function differences(
  where: string,
  properties: Record<string, PropertySchema>,
  resolve: (ref: string) => PropertySchema,
  { send, terse, extra = () => [] }: { send: Send; terse: boolean; extra?: (name: string) => unknown[] },
): Promise<{ count: number; found: string[] }> {
  const found: string[] = [];
  let count = 0;
  for (const [name, property] of Object.entries(properties)) {
    const cases = [
      ...schemaCases(property, resolve, terse).filter(({ bound }) => !(bound.includes('astral') && OF_BYTES.includes(name))),
      ...extra(name).map((value) => ({ value, taken: false, bound: JSON.stringify(value) })),
    ];
    for (const { value, taken, bound } of cases) {
      count++;
      const refused = (await send(name, value)).includes(name);
      if (refused === taken) found.push(`${where} ${name}: ${bound} is ${refused ? 'refused' : 'taken'}`);
    }
  }
  if (!(await send('no_such_field', 1)).includes('no_such_field')) found.push(`${where} takes an unknown field`);
  return { count: count + 1, found };
}

const RUNTIME = { capabilities: { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true }, networkRefusal: () => null };

/** The services that have limits of their own, with nothing below them. */
function services(): { sessions: SessionsService; commands: CommandsService; jobs: JobsService } {
  const config = loadConfig({ API_KEYS: API_KEY, ...LIMITS });
  const policy: CommandPolicy = { mode: 'off', allowed: [], check: () => undefined };
  const [store, entrance, removal] = [{}, {}, {}] as [SessionStore, SessionEntrance, never];
  return {
    sessions: new SessionsService(config, store, policy, RUNTIME, entrance, removal),
    commands: new CommandsService(config, policy, entrance),
    jobs: new JobsService(config, store, policy, entrance),
  };
}

/**
 * The operator's images are not told to everybody: a text of another length is refused, and of
 * those that fit only the operator's are taken.
 */
function withAnyImage(properties: Record<string, PropertySchema>): Record<string, PropertySchema> {
  return properties.image ? { ...properties, image: { example: properties.image.example } } : properties;
}

function badImages(field: string): string[] {
  return field === 'image' ? ['', 'a'.repeat(257)] : [];
}

function fieldsOf(problem: unknown): string[] {
  const { code, errors = [] } = problem as { code?: string; errors?: { field: string }[] };
  return code === 'VALIDATION_FAILED' ? errors.map(({ field }) => field.split(/[.[]/)[0]!) : [];
}

describe('REST', () => {
  let app: TestApp;
  let operations: Operation[];
  let resolve: (ref: string) => PropertySchema;

  beforeAll(async () => {
    app = await TestApp.start(services(), LIMITS);
    const document = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenAPIObject;
    resolve = (ref) => document.components!.schemas![ref.replace('#/components/schemas/', '')] as PropertySchema;
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item as Record<string, Documented>).map(([method, { parameters = [], requestBody }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        parameters,
        body: requestBody?.content['application/json']?.schema,
      })),
    );
  });
  afterAll(() => app.stop());

  interface Documented {
    parameters?: Parameter[];
    requestBody?: { content: Record<string, { schema: PropertySchema }> };
  }

  const example = ({ example: own, schema }: Parameter): unknown => own ?? schema.example ?? 'x';
  const of = ({ parameters }: Operation, place: Parameter['in']): Parameter[] => parameters.filter((each) => each.in === place);

  /** Makes a request of the required fields, with one field added or replaced. */
  async function send(operation: Operation, place: Parameter['in'] | 'body', field: string, value: unknown): Promise<string[]> {
    const [method, path] = operation.route.split(' ') as [string, string];
    const given = (name: string, usual: unknown): string => String(place === 'path' && name === field ? value : usual);
    const parts = Object.fromEntries(of(operation, 'path').map((each) => [each.name, given(each.name, example(each))]));
    const parameters = of(operation, 'query');
    const properties = Object.fromEntries(parameters.map((each) => [each.name, { ...each.schema, example: example(each) }]));
    const required = parameters.filter((each) => each.required).map(({ name }) => name);
    const query = requiredExamples({ properties, required }, resolve, field);
    if (place === 'query') query[field] = value;
    const pairs = Object.entries(query).flatMap(([name, values]) => [values].flat().map((each): [string, string] => [name, String(each)]));
    const address = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name]!));
    const url = `${address}?${new URLSearchParams(pairs)}`.replace(/\?$/, '');
    const body = operation.body && { ...requiredExamples(operation.body, resolve, field), ...(place === 'body' && { [field]: value }) };
    const response = await (body ? app.json(method, url, body) : app.fetch(url, { method }));
    const text = await response.text();
    return response.status === 422 ? fieldsOf(JSON.parse(text)) : [];
  }

  it(
    'refuses a body exactly when its schema does',
    async () => {
      const bodies = operations.filter(({ body }) => body !== undefined);
      const found: string[] = [];
      for (const operation of bodies) {
        const { properties = {} } = resolve(operation.body!.$ref ?? '') ?? {};
        const result = await differences(operation.route, withAnyImage(properties), resolve, {
          send: (field, value) => send(operation, 'body', field, value),
          terse: false,
          extra: (name) => [null, ...badImages(name)],
        });
        found.push(...result.found);
        expect(result.count).toBeGreaterThan(Object.keys(properties).length);
      }
      expect(bodies.length).toBeGreaterThan(7);
      expect(found).toEqual([]);
    },
    MAX_TIME_MS,
  );

  it.each(['query', 'path'] as const)(
    'refuses a parameter of the %s exactly when its schema does',
    async (place) => {
      const having = operations.filter((operation) => of(operation, place).length > 0);
      const found: string[] = [];
      for (const operation of having) {
        const properties = Object.fromEntries(
          of(operation, place).map((each) => [each.name, { ...each.schema, example: each.example ?? each.schema.example }]),
        );
        const result = await differences(operation.route, withAnyImage(properties), resolve, {
          // An empty part of a path is another route, and an absent part cannot be sent.
          send: async (field, value) => {
            const impossible = place === 'path' && (value === '' || !(field in properties));
            return impossible ? [field] : send(operation, place, field, value);
          },
          terse: place === 'path',
          extra: badImages,
        });
        found.push(...result.found);
      }
      expect(having.length).toBeGreaterThan(7);
      expect(found).toEqual([]);
    },
    MAX_TIME_MS,
  );
});

describe('MCP', () => {
  const { sessions, commands, jobs } = services();
  const tools = new SandboxTools(
    sessions,
    commands,
    jobs,
    ...([{}, {}, {}, {}, {}, {}, {}] as unknown as [never, never, never, never, never, never, never]),
    loadConfig({ API_KEYS: API_KEY, ...LIMITS }),
    RUNTIME,
  );
  const user = userFromApiKey(API_KEY);
  const caller = {
    user: { ...user, requestId: 'r' },
    signal: new AbortController().signal,
    requestId: 'r',
    budget: () => ({ limit: 1, left: 1, reset: 1 }),
  };

  it.each(tools.list().map(({ name, inputSchema }) => [name, inputSchema as PropertySchema] as const))(
    '%s refuses an argument exactly when its schema does',
    async (name, schema) => {
      const { properties = {} } = schema;
      const base: Record<string, unknown> = Object.fromEntries(
        (schema.required ?? []).map((each) => [each, each === 'edits' ? [{ old: 'a', new: 'b' }] : 'x']),
      );
      // The only maximum of timeout is that of a job.
      if (name === 'execute') base.background = true;
      const { found } = await differences(name, properties, () => ({}), {
        terse: true,
        send: async (field, value) => {
          const result: CallToolResult = await tools.find(name)!.call({ ...base, [field]: value }, caller);
          return fieldsOf(result._meta?.problem ?? {});
        },
      });
      expect(found).toEqual([]);
    },
    MAX_TIME_MS,
  );

  it('tells the limits of the deployment when it sets its own', () => {
    const schema = (name: string): unknown => tools.find(name)!.descriptor.inputSchema.properties;
    expect(schema('create_session')).toMatchObject({
      image: { enum: ['python:3.12-slim', 'node:24'] },
      cpus: { maximum: 0.75 },
      pids: { maximum: 99 },
      ttl_seconds: { maximum: 7777 },
    });
    expect(schema('execute')).toMatchObject({ timeout: { maximum: 77 } });
  });
});
