import { Module } from '@nestjs/common';
import { Admission } from './admission';
import { Authenticator } from './authenticator';
import { FailedAttempts } from './failed-attempts';
import { SessionTokens } from './session-tokens';

const PROVIDERS = [Admission, Authenticator, FailedAttempts, SessionTokens];

/** Who calls? */
@Module({ providers: PROVIDERS, exports: PROVIDERS })
export class AuthModule {}
