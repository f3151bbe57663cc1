import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { Cancellations } from './cancellations';
import { McpServerFactory } from './mcp-server.factory';
import { McpController } from './mcp.controller';
import { CapabilitiesModule } from '../capabilities/capabilities.module';
import { CapabilitiesResource } from './capabilities-resource';
import { PreviewsModule } from '../previews/previews.module';
import { OriginMiddleware } from '../server/origin.middleware';
import { SandboxTools } from './tools/sandbox-tools';

/** The MCP server. It uses the same services as REST, behind the same guards. */
@Module({
  imports: [PreviewsModule, CapabilitiesModule],
  controllers: [McpController],
  providers: [Cancellations, CapabilitiesResource, McpServerFactory, SandboxTools],
})
export class McpModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(OriginMiddleware).forRoutes('mcp');
  }
}
