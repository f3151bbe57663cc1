import { All, Controller, Req, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request } from 'express';
import { StreamedBody } from '../../request/json-body.guard';
import { notSupported } from '../protocol/not-supported';
import { RestErrorsFilter } from '../protocol/rest-errors.filter';

/** What the parts of the protocol are called that this server does not have, by their path. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/\/sandboxes\/[^/]+\/(pause|resume)$/, 'Pausing a sandbox'],
  [/\/snapshots$/, 'Making snapshots of a sandbox'],
  [/\/fork$/, 'Forking a sandbox'],
  [/\/templates\b/, 'Building templates'],
  [/\/volumes\b|\/volumecontent\b/, 'Keeping volumes'],
  [/\/secrets\b/, 'Keeping secrets'],
  [/\/teams\b/, 'Having teams'],
];

/** Answers every call of the control plane that no other controller takes. */
@ApiExcludeController()
@Controller('e2b')
@UseFilters(RestErrorsFilter)
export class UnsupportedController {
  @All('*call')
  @StreamedBody()
  refuse(@Req() { path }: Request): never {
    throw notSupported(PARTS.find(([pattern]) => pattern.test(path))?.[1] ?? 'This call');
  }
}
