import { Module } from '@nestjs/common';
import { PreviewsModule } from '../previews/previews.module';
import { CapabilitiesController } from './capabilities.controller';
import { CapabilitiesDocument } from './capabilities-document';

@Module({
  imports: [PreviewsModule],
  controllers: [CapabilitiesController],
  providers: [CapabilitiesDocument],
  exports: [CapabilitiesDocument],
})
export class CapabilitiesModule {}
