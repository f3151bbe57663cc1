import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { SweeperService } from './sweeper.service';

/**
 * Runs the sweeper in one process: the cleanup worker, or the API itself if the store is in its
 * memory. CONFIG, SESSION_STORE and SANDBOX_RUNTIME come from a global module of the application.
 */
@Module({
  imports: [ScheduleModule.forRoot()],
  providers: [SweeperService],
  exports: [SweeperService],
})
export class SweeperModule {}
