import { All, Controller, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { StreamedBody } from '../../request/json-body.guard';
import { ConnectErrorsFilter } from '../protocol/connect-errors.filter';
import { notSupported } from '../protocol/not-supported';
import { SandboxPlane } from './sandbox-call';

/** Answers every call to a sandbox that no other controller takes. */
@ApiExcludeController()
@Controller('e2b/sandbox')
@SandboxPlane()
@UseFilters(ConnectErrorsFilter)
export class UnsupportedRpcController {
  @All('*call')
  @StreamedBody()
  refuse(): never {
    throw notSupported('This call');
  }
}
