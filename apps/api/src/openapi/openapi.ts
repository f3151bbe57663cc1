import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { Config } from '@sandbox/config';
import { formatSize, sessionLimits } from '@sandbox/orchestrator';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type SchemaObject = Exclude<Schemas[string], { $ref: string }>;

/** The version of the package. */
const API_VERSION = '0.1.0';

const DESCRIPTION = `Runs shell commands and handles files in isolated, disposable containers.

A *session*, named by a \`session_id\` of your choosing, is one container with files under /workspace. Any call makes it where it is not there.
It is removed once it has been idle for %TTL% seconds, or by DELETE. Sessions belong to their user: nobody else can see or reach them.

Errors are \`application/problem+json\` (RFC 9457); programs should look at \`code\`. Every answer carries \`X-Request-Id\`.`;

/**
 * Builds the OpenAPI document from the decorators of controllers and DTOs, and adds what only the
 * configuration knows.
 */
export function openApiDocument(app: INestApplication, config: Config): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle(config.APP_NAME)
    .setDescription(DESCRIPTION.replace('%TTL%', String(config.SESSION_TTL_SECONDS)))
    .setVersion(API_VERSION)
    .addApiKey({ type: 'apiKey', in: 'header', name: config.API_KEY_HEADER }, 'apiKey')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A JWT, or an API key.' }, 'bearer')
    .addSecurityRequirements('apiKey')
    .addSecurityRequirements('bearer');
  const document = SwaggerModule.createDocument(app, builder.build());
  closeRequestSchemas(document);
  describeLimits(document, config);
  return document;
}

/** Serves `/docs` and `/openapi.json` to everybody. The pages load nothing from elsewhere. */
export function serveDocs(app: INestApplication, config: Config): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app, config), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: config.APP_NAME,
  });
}

/** Closes every schema that a request body refers to, because an unknown field is an error. */
function closeRequestSchemas(document: OpenAPIObject): void {
  const bodies = Object.values(document.paths).flatMap((item) =>
    Object.values(item as Record<string, { requestBody?: object }>).map(({ requestBody }) => requestBody),
  );
  const closed = new Set<string>();
  const close = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    const { $ref } = part as { $ref?: unknown };
    const name = typeof $ref === 'string' ? $ref.replace('#/components/schemas/', '') : undefined;
    if (name === undefined) return Object.values(part).forEach(close);
    if (closed.has(name)) return;
    closed.add(name);
    const referred = schema(document, name);
    if (referred.properties) referred.additionalProperties = false;
    close(referred);
  };
  bodies.forEach(close);
}

function describeLimits(document: OpenAPIObject, config: Config): void {
  describeCommands(document, config);
  describeSessions(document, config);
}

function describeCommands(document: OpenAPIObject, config: Config): void {
  const timeouts = {
    ExecuteDto: { maximum: config.MAX_EXEC_TIMEOUT_SECONDS, default: config.DEFAULT_EXEC_TIMEOUT_SECONDS },
    StartJobDto: { maximum: config.JOB_MAX_SECONDS, default: config.JOB_MAX_SECONDS },
  };
  for (const [name, limits] of Object.entries(timeouts)) {
    const { timeout, shell } = properties(document, name);
    Object.assign(timeout!, limits, { example: limits.default });
    shell!.default = config.EXEC_SHELL;
  }
  properties(document, 'ExecuteResultDto').stdout!.description += `: over ${config.EXEC_MAX_OUTPUT_BYTES} bytes`;
}

/**
 * Adds the limits of a session's options. It names no image, because the document is open to
 * everybody.
 */
function describeSessions(document: OpenAPIObject, config: Config): void {
  const { memory, cpus, pids, ttl_seconds } = sessionLimits(config);
  const most = formatSize(memory);
  for (const name of ['CreateSessionDto', 'UpdateSessionDto']) {
    const options = properties(document, name);
    for (const [option, maximum] of Object.entries({ cpus, pids, ttl_seconds })) {
      const property = options[option];
      if (property) Object.assign(property, { maximum, example: Math.min(property.example as number, maximum) });
    }
    if (options.memory) Object.assign(options.memory, { description: `${options.memory.description}; at most ${most}`, example: most });
  }
}

function properties(document: OpenAPIObject, name: string): Record<string, SchemaObject> {
  return schema(document, name).properties as Record<string, SchemaObject>;
}

function schema(document: OpenAPIObject, name: string): SchemaObject {
  return document.components!.schemas![name] as SchemaObject;
}
