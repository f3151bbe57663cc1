import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { ApiPropertyOptional } from '@nestjs/swagger';

/** Tells a model, if the text of an answer is not its JSON. */
export const SESSION_CREATED =
  'note: this call made the session; processes of an earlier one of its name are gone, and files too unless the workspace is persistent';

/** The members of a file tool's answer that tell of its session. */
export class SessionNewsDto {
  @ApiPropertyOptional({ description: 'Present, and true, if this call made the session' })
  session_created?: boolean;
}

/** Makes those members. They are absent if the session was there, as it mostly is. */
export function sessionNews(session_created: boolean): SessionNewsDto {
  return session_created ? { session_created } : {};
}

/** The same as text, before or after what else is said. */
export function newsText({ session_created }: SessionNewsDto): string[] {
  return session_created === true ? [SESSION_CREATED] : [];
}

export function newsBlocks(news: SessionNewsDto): CallToolResult['content'] {
  return newsText(news).map((text) => ({ type: 'text', text }));
}
