//! What a process does about a wall clock that it does not trust: it says so, and does not start with it.

use crate::domain::ids::Partition;
use crate::engine::state::checkpoint::Checkpoint;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::wall::WallTime;
use crate::telemetry::observe;

impl Shared {
    /// The wall time, as far as it is trusted. The clocks of partitions are held by it only where they follow it.
    pub fn look_at_wall(&self) -> WallTime {
        let wall = self.wall.look();
        let follows_wall = self.clock_rules.mode == ClockMode::Wall;
        if let Some(turn) = self.wall.turn().filter(|_| follows_wall) {
            observe::wall_turned(&self.metrics, turn.ahead_seconds());
        }
        WallTime {
            is_held: wall.is_held && follows_wall,
            ..wall
        }
    }

    /// Compares the wall time with that of a partition's last transaction, which may have been another process's.
    ///
    /// # Errors
    /// If they do not fit and this is the start of the process. Later the wall clock is trusted.
    pub(super) fn check_wall(
        &self,
        partition: Partition,
        checkpoint: &Checkpoint,
        is_at_start: bool,
    ) -> Result<(), Error> {
        let (Some(rules), Some(last)) = (&self.clock_rules.start, checkpoint.wall) else {
            return Ok(());
        };
        match rules.check(self.wall.now(), last) {
            Ok(()) => Ok(()),
            Err(misfit) if is_at_start && !rules.is_trusted => Err(Error::WallClock {
                partition,
                source: misfit,
            }),
            Err(misfit) => {
                observe::wall_misfit(partition.0, &misfit);
                Ok(())
            }
        }
    }
}
