import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionLimits } from '@sandbox/orchestrator';

/** The template that E2B's SDKs ask for if nobody names one. */
const BASE = 'base';

/**
 * Finds the image of a template. The only templates are `base`, for the default image, and the
 * images that the operator allows.
 * @returns undefined for the default image
 * @throws SandboxError NOT_FOUND
 */
export function imageOf(template: string, config: Config): string | undefined {
  if (template === BASE) return undefined;
  const { images } = sessionLimits(config);
  if (images.includes(template)) return template;
  const detail = `There is no such template here. Use ${[BASE, ...images].map((each) => JSON.stringify(each)).join(' or ')}.`;
  throw new SandboxError(ErrorCode.NOT_FOUND, detail);
}

/** @returns the template that the SDKs know an image by */
export function templateOf(image: string, { CONTAINER_IMAGE }: Pick<Config, 'CONTAINER_IMAGE'>): string {
  return image === CONTAINER_IMAGE ? BASE : image;
}
