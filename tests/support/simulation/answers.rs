//! What a faulty log answers.

use std::collections::BTreeMap;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::time::Timestamp;
use segstream::log::ChangelogChunk;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::PartitionFacts;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::Progress;
use segstream::log::ProgressAnswer;
use segstream::log::Transaction;

use super::Amid;
use super::Bug;
use super::Heard;
use super::Kind;
use super::deletions::Deletion;
use super::faulty_log::Assignable;
use super::faulty_log::FaultyLog;
use super::faulty_log::failure;
use super::group::State;
use super::group::Undecided;
use super::spoil;

impl<L: Assignable> FaultyLog<L> {
    fn read(&mut self, limit: PollLimit, state: &mut State) -> Result<Polled, Error> {
        let is_short = state.strikes(Kind::ShortPoll, 3);
        let records = if is_short {
            1 + state.chance.below(3) as usize
        } else {
            limit.records
        };
        let mut polled = self.inner.poll(PollLimit {
            records: records.min(limit.records),
            timeout: Duration::ZERO,
            ..limit
        })?;
        if let Polled::Deliveries(deliveries) = &mut polled {
            if state.errs(Bug::LostDelivery) {
                deliveries.pop();
            }
            let is_fenced = self.is_fenced(state);
            for delivery in &*deliveries {
                let (partition, source) = (delivery.position.partition, delivery.position.source);
                let member = state.member(self.id);
                member.amid.insert((partition, Amid::Batch));
                if source != Source::Events {
                    continue;
                }
                let (partition, next) = (delivery.position.partition, delivery.position.offset + 1);
                let read = self.read.entry(partition).or_default();
                *read = (*read).max(next);
                if !is_fenced {
                    member.read.insert(partition, next);
                }
            }
            if state.strikes(Kind::DeliveredAgain, 8) {
                deliveries.extend(deliveries.clone());
            }
        }
        Ok(polled)
    }

    /// Why a commit writes nothing, if so.
    fn refusal(&self, transaction: &Transaction, state: &mut State) -> Option<Error> {
        if self.is_fenced(state) {
            state.hit(Kind::Fenced);
            return Some(Error::Fenced);
        }
        let undecided = state.undecided.as_ref();
        if undecided.is_some_and(|undecided| undecided.member == self.id) {
            return Some(Error::Aborted);
        }
        let is_unfenced = matches!(state.bug, Some(Bug::NotFenced | Bug::HandedOverTooEarly));
        if !state.member(self.id).is_member && !state.errs(Bug::NotFenced) {
            state.hit(Kind::Refused);
            return Some(Error::Aborted);
        }
        let mut partitions = transaction.partitions.iter().map(|part| part.partition);
        let is_overtaken = partitions.any(|partition| self.is_overtaken(partition, state));
        if is_overtaken && !is_unfenced && !state.errs(Bug::ChangelogNotFenced) {
            state.hit(Kind::Refused);
            return Some(Error::Aborted);
        }
        for part in &transaction.partitions {
            let owner = state.owners.get(&part.partition).copied();
            let believes = state.member(self.id).believed.contains(&part.partition);
            assert!(
                owner == Some(self.id) || is_unfenced || believes,
                "{:?} commits for partition {}, which is {owner:?}'s",
                self.id,
                part.partition
            );
        }
        state.strikes(Kind::Aborted, 12).then_some(Error::Aborted)
    }

    /// Another worker has written to the changelog since this one read it or wrote it. The records of a transaction that
    /// is not decided yet are there too.
    fn is_overtaken(&self, partition: Partition, state: &mut State) -> bool {
        let writes = |undecided: &Undecided| undecided.writes(partition);
        if state.undecided.as_ref().is_some_and(writes) {
            return true;
        }
        let expected = self.fence.get(&partition);
        expected.is_some_and(|expected| *expected != state.changelog_end(partition))
    }

    fn commit_now(
        &mut self,
        (transaction, deletions): (&Transaction, Vec<Deletion>),
        state: &mut State,
        is_heard: bool,
    ) -> Result<Vec<Committed>, Error> {
        let applied = state.describe(self.id, transaction, is_heard);
        let rewritten = spoil::rewritten(self.id, transaction, state);
        let written = rewritten.as_ref().unwrap_or(transaction);
        let committed = self.inner.commit(written)?;
        state.applied.push(applied);
        for end in &committed {
            self.fence.insert(end.partition, end.changelog_next);
        }
        state.keep(written, &committed);
        state.deletions.take_effect(deletions);
        for part in &transaction.partitions {
            state
                .member(self.id)
                .amid
                .remove(&(part.partition, Amid::Batch));
        }
        if is_heard && state.strikes(Kind::CommitFails, 100) {
            state.forget_last_of(self.id);
            return Err(failure());
        }
        Ok(committed)
    }

    /// What keeps a commit from its answer often ends the session too.
    fn expire_sometimes(&self, state: &mut State) {
        let may_be_lost = !state.is_calm && state.kinds.contains(&Kind::Lost);
        if may_be_lost && state.chance.below(5) == 0 {
            state.expire(self.id);
            if let Some((delay, _)) = state.member(self.id).notes.back_mut() {
                *delay = 0;
            }
        }
    }

    /// What a worker hears that takes a refused commit for a good one.
    fn pretended(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let mut committed = Vec::new();
        for part in &transaction.partitions {
            if let Some(facts) = self.inner.facts(part.partition)? {
                committed.push(Committed {
                    partition: part.partition,
                    changelog_next: facts.changelog_end,
                });
            }
        }
        Ok(committed)
    }

    pub(super) fn polled(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        let group = self.group.clone();
        let mut state = group.lock();
        if self.is_fenced(&mut state) {
            // It goes on with what it has read until it commits.
            if state.chance.below(6) == 0 {
                state.hit(Kind::Fenced);
                return Err(Error::Fenced);
            }
            return self.read(limit, &mut state);
        }
        Self::fail_sometimes(&mut state)?;
        if let Some(polled) = self.rebalance(&mut state) {
            return Ok(polled);
        }
        if state.strikes(Kind::SlowPoll, 5) {
            return Ok(Polled::Idle);
        }
        self.read(limit, &mut state)
    }

    pub(super) fn committed(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let group = self.group.clone();
        let mut state = group.lock();
        let deletions = if self.is_fenced(&mut state) {
            Vec::new()
        } else {
            state.deletions.held_by(self.id, transaction)
        };
        if let Some(error) = self.refusal(transaction, &mut state) {
            state.refused += 1;
            let is_aborted = matches!(error, Error::Aborted);
            if is_aborted && state.errs(Bug::OkForAborted) {
                return self.pretended(transaction);
            }
            if is_aborted {
                state.heard(self.id, Heard::Aborted);
                self.expire_sometimes(&mut state);
            }
            return Err(error);
        }
        if state.strikes(Kind::UnknownNotApplied, 25) {
            state.heard(self.id, Heard::Unknown);
            self.expire_sometimes(&mut state);
            return Err(Error::UnknownOutcome);
        }
        if state.strikes(Kind::UnknownApplied, 25) {
            state.heard(self.id, Heard::Unknown);
            self.commit_now((transaction, deletions), &mut state, false)?;
            if state.errs(Bug::SentAgainAfterUnknown) {
                return self.commit_now((transaction, Vec::new()), &mut state, true);
            }
            return Err(Error::UnknownOutcome);
        }
        if state.undecided.is_none() && state.strikes(Kind::UnknownPending, 25) {
            let takes_effect = state.chance.below(2) == 0;
            state.heard(self.id, Heard::Unknown);
            state.note_tables(self.id, transaction);
            state.undecided = Some(Undecided {
                member: self.id,
                transaction: transaction.clone(),
                deletions,
                takes_effect,
            });
            return Err(Error::UnknownOutcome);
        }
        self.commit_now((transaction, deletions), &mut state, true)
    }

    pub(super) fn known_facts(
        &mut self,
        partition: Partition,
    ) -> Result<Option<PartitionFacts>, Error> {
        let group = self.group.clone();
        let mut state = group.lock();
        Self::fail_sometimes(&mut state)?;
        // Where a transaction stands open, the group's offset is not known.
        let writes = |undecided: &Undecided| undecided.writes(partition);
        if state.undecided.as_ref().is_some_and(writes) || state.strikes(Kind::NoFacts, 4) {
            return Ok(None);
        }
        let Some(mut facts) = self.inner.facts(partition)? else {
            return Ok(None);
        };
        let old = self.old_facts.insert(partition, facts.clone());
        // Other old facts do no harm.
        if let Some(old) = old.filter(|old| old.changelog_end < facts.changelog_end)
            && state.errs(Bug::OldFacts)
        {
            facts = old;
        }
        facts.tombstones_kept = state.tombstones_kept;
        if let Some(events) = facts.sources.get_mut(&Source::Events) {
            state.move_group_offset(partition, events);
        }
        let now_ms = state.clocks.now_ms();
        self.asked_ms.entry(partition).or_insert(now_ms);
        self.changelog_ends.insert(partition, facts.changelog_end);
        Ok(Some(facts))
    }

    /// The answer to a question. Time passes, and others work, while it is made.
    pub(super) fn answered(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<ProgressAnswer, Error> {
        let mut answer = ProgressAnswer {
            asked_at: wall,
            partitions: BTreeMap::new(),
        };
        for partition in partitions {
            let progress = self.known_progress(*partition, wall);
            self.group.let_time_pass();
            self.group.let_others_work(self.id);
            answer
                .partitions
                .extend(progress?.map(|progress| (*partition, progress)));
        }
        Ok(answer)
    }

    /// Positions are those of the moment in which the answer is given.
    pub(super) fn read_on(
        &mut self,
        partition: Partition,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let now = self.of_inner(partition, Timestamp::default())?;
        for (source, read) in progress {
            let now = now.as_ref().and_then(|now| now.get(source));
            read.position = now.and_then(|now| now.position);
        }
        Ok(())
    }

    fn of_inner(
        &mut self,
        partition: Partition,
        wall: Timestamp,
    ) -> Result<Option<Progress>, Error> {
        let answer = self.inner.progress(&[partition], wall)?;
        Ok(answer.and_then(|mut answer| answer.partitions.remove(&partition)))
    }

    fn known_progress(
        &mut self,
        partition: Partition,
        wall: Timestamp,
    ) -> Result<Option<Progress>, Error> {
        let group = self.group.clone();
        let mut state = group.lock();
        Self::fail_sometimes(&mut state)?;
        if state.strikes(Kind::NoProgress, 4) {
            return Ok(None);
        }
        let mut progress = self.of_inner(partition, wall)?;
        if let Some(events) = progress
            .as_mut()
            .and_then(|progress| progress.get_mut(&Source::Events))
        {
            let old = self.old_ends.insert(partition, events.end);
            if let Some(old) = old.filter(|old| *old < events.end)
                && state.errs(Bug::OldEnd)
            {
                events.end = old;
            }
        }
        Ok(progress)
    }

    pub(super) fn chunk(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let group = self.group.clone();
        let mut state = group.lock();
        let end = self.changelog_ends.get(&partition).copied().unwrap_or(0);
        let mut chunk = ChangelogChunk {
            records: Vec::new(),
            offset_next: from,
            remaining: end.saturating_sub(from),
        };
        if chunk.remaining == 0 || state.strikes(Kind::EmptyChunk, 4) {
            return Ok(chunk);
        }
        Self::fail_sometimes(&mut state)?;
        let is_owner = state.owners.get(&partition) == Some(&self.id);
        // A partition that was never this worker's is read for its definition.
        let is_known = state.member(self.id).known.contains(&partition);
        let is_lost = is_known && (!is_owner || self.is_fenced(&mut state));
        if !state.is_compacted_late && is_lost {
            if !state.kinds.contains(&Kind::RestoredAfterLoss) {
                return Ok(chunk);
            }
            state.hit(Kind::RestoredAfterLoss);
        }
        let asked_ms = self.asked_ms.get(&partition).copied();
        let asked_ms = asked_ms.unwrap_or_else(|| state.clocks.now_ms());
        let records = if state.strikes(Kind::ShortChunk, 2) {
            1 + state.chance.below(3) as usize
        } else {
            records
        };
        if let Some(uncompacted) = state.read_uncompacted(partition, (from, end), records, asked_ms)
        {
            state.hit(Kind::Uncompacted);
            chunk = uncompacted;
        } else {
            chunk = self.inner.read_changelog(partition, from, records)?;
            chunk.records.retain(|record| record.offset < end);
            state.remove_replaced(partition, &mut chunk.records);
            state.remove_tombstones(partition, asked_ms, &mut chunk.records);
            chunk.offset_next = chunk.offset_next.min(end);
            chunk.remaining = end - chunk.offset_next;
        }
        if chunk.records.len() > 1 && state.errs(Bug::ChangelogGap) {
            chunk.records.remove(0);
        }
        if chunk.remaining > 0 && state.errs(Bug::ChangelogCutShort) {
            chunk.remaining = 0;
        }
        Ok(chunk)
    }
}
