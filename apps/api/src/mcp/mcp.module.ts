import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { McpServerFactory } from './mcp-server.factory';
import { McpController } from './mcp.controller';
import { OriginMiddleware } from './origin.middleware';
import { SandboxTools } from './tools/sandbox-tools';

/** The MCP server: the same services as REST, behind the same guards. */
@Module({
  controllers: [McpController],
  providers: [McpServerFactory, SandboxTools],
})
export class McpModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(OriginMiddleware).forRoutes('mcp');
  }
}
