import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtraModels, ApiHeader, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ETAG_HEADER } from './preconditions.docs';
import { WorkspaceContentDto, WriteContentDto } from './workspace.dto';

const BYTES = { type: 'string', format: 'binary' } as const;

/** The two forms in which a file is answered. */
export function ApiFileContent(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(WorkspaceContentDto),
    ApiHeader({
      name: 'Range',
      required: false,
      description: 'With application/octet-stream: `bytes=first-last`, `bytes=first-` or `bytes=-count`',
      schema: { type: 'string', example: 'bytes=0-1023' },
    }),
    ApiResponse({
      status: 200,
      description: 'The file',
      headers: ETAG_HEADER,
      content: {
        'application/json': { schema: { $ref: getSchemaPath(WorkspaceContentDto) } },
        'application/octet-stream': { schema: BYTES },
      },
    }),
    ApiResponse({
      status: 206,
      description: 'The part of the file that Range asks for',
      headers: {
        ...ETAG_HEADER,
        'Content-Range': { description: 'Which part, of how many bytes', schema: { type: 'string', example: 'bytes 0-1023/4096' } },
      },
      content: { 'application/octet-stream': { schema: BYTES } },
    }),
    ApiResponse({ status: 304, description: 'The file is what If-None-Match names', headers: ETAG_HEADER }),
  );
}

/** The two forms in which a file is sent. */
export function ApiFileBody(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(WriteContentDto),
    ApiConsumes('application/octet-stream', 'application/json'),
    ApiBody({ schema: { oneOf: [BYTES, { $ref: getSchemaPath(WriteContentDto) }] } }),
  );
}

export function ApiUploadBody(): MethodDecorator {
  return ApiBody({ schema: { type: 'object', properties: { file: BYTES }, required: ['file'], additionalProperties: false } });
}
