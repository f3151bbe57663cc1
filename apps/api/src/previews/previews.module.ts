import { Module } from '@nestjs/common';
import { PreviewHosts } from './preview-hosts';

/** What REST and MCP need to know of previews. */
@Module({ providers: [PreviewHosts], exports: [PreviewHosts] })
export class PreviewsModule {}
