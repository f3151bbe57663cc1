import { IntersectionType } from '@nestjs/swagger';
import { ExposePortDto, PortDto } from '../../ports/ports.dto';

export class ExposePortArgs extends IntersectionType(PortDto, ExposePortDto) {}
