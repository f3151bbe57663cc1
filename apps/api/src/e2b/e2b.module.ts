import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module';
import { PreviewsModule } from '../previews/previews.module';
import { SandboxesController } from './control/sandboxes.controller';
import { UnsupportedController } from './control/unsupported.controller';
import { SandboxFilesController } from './plane/files.controller';
import { FilesystemController } from './plane/filesystem.controller';
import { ProcessController } from './plane/process.controller';
import { Processes } from './plane/processes';
import { SandboxAdmission } from './plane/sandbox-admission';
import { SandboxFiles } from './plane/sandbox-files';
import { SignedAdmission } from './plane/signed-admission';
import { SignedFilesController } from './plane/signed-files.controller';
import { SandboxHealthController } from './plane/health.controller';
import { UnsupportedRpcController } from './plane/unsupported-rpc.controller';

/**
 * E2B's protocol over the services that REST uses, behind the same guards. The controllers that
 * take every address come last.
 */
@Module({
  imports: [AuthModule, PreviewsModule],
  controllers: [
    SandboxesController,
    SandboxHealthController,
    ProcessController,
    FilesystemController,
    SandboxFilesController,
    SignedFilesController,
    UnsupportedRpcController,
    UnsupportedController,
  ],
  providers: [Processes, SandboxAdmission, SandboxFiles, SignedAdmission],
})
export class E2bModule {}
