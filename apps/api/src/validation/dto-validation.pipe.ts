import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { withIntegers } from './query-values';
import { validateDto } from './validate-dto';

const BUILT_IN: readonly unknown[] = [String, Number, Boolean, Object, Array];

/** Checks what a handler takes as a DTO class from the body, the query or the path. */
@Injectable()
export class DtoValidationPipe implements PipeTransform {
  transform(value: unknown, { metatype, type }: ArgumentMetadata): unknown {
    if (type === 'custom' || metatype === undefined || BUILT_IN.includes(metatype)) return value;
    const dto = metatype as Type<object>;
    return validateDto(dto, type === 'query' || type === 'param' ? withIntegers(dto, value) : value);
  }
}
