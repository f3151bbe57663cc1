import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { SweeperService } from './sweeper.service';

/**
 * Sweeping, in whichever process does it: the cleanup worker, or the API itself where the store is in its memory. CONFIG, SESSION_STORE and
 * SANDBOX_RUNTIME come from a global module of the application.
 */
@Module({
  imports: [ScheduleModule.forRoot()],
  providers: [SweeperService],
  exports: [SweeperService],
})
export class SweeperModule {}
