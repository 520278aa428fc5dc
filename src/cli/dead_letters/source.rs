//! Where the commands read dead letters: a log, or a running instance.

use crate::cli::dead_letters::filter::Filter;
use crate::cli::dead_letters::pages;
use crate::cli::exit::Failed;
use crate::cli::instance::Answered;
use crate::cli::instance::Instance;
use crate::cli::outputs::Place;
use crate::cli::outputs::place;
use crate::config::settings::Settings;
use crate::http::LettersAsked;
use crate::http::LettersLookup;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::DeadLettersView;

/// Dead letters asked for at a time.
const PAGE_LETTERS: usize = 1000;
/// The largest record that a command shows of a log.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// Where dead letters are read.
pub(super) enum Source {
    Log(Box<dyn OutputReader>),
    Instance(Instance),
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// All dead letters that were read.
    pub(super) all: u64,
    /// Those that the filter takes.
    pub(super) taken: u64,
    /// The limit has ended it.
    pub(super) is_cut: bool,
}

impl Source {
    /// The source of the settings.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        Ok(
            match place(settings, OutputKind::DeadLetters, "dead-letters")? {
                Place::Log(reader) => Self::Log(reader),
                Place::Instance(instance) => Self::Instance(instance),
            },
        )
    }

    /// What helps where a record is too large to be shown.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Log(_) => "",
            Self::Instance(_) => "; stop the instance to read its log itself",
        }
    }

    /// One, with what its record holds.
    pub(super) fn one(&mut self, partition: u32, offset: u64) -> anyhow::Result<DeadLetterView> {
        let problem = match self {
            Self::Log(reader) => {
                let found = pages::one(reader.as_mut(), partition, offset, RECORD_BYTES_MAX)?;
                match (found.problem(partition, offset), found) {
                    (None, LettersLookup::Found(view)) => return Ok(view),
                    (problem, _) => problem.unwrap_or_default(),
                }
            }
            Self::Instance(instance) => {
                let path = format!("/v1/dead-letters/{partition}/{offset}");
                match instance.get(&path)? {
                    Answered::Found(body) => return Ok(instance.read(&body)?),
                    Answered::Refused {
                        status: 400 | 404,
                        detail,
                    } => detail,
                    Answered::Refused { status, detail } => {
                        return Err(instance.refused(status, &detail).into());
                    }
                }
            }
        };
        Err(Failed(problem).into())
    }

    /// Hands each dead letter that the filter takes to `take`, by partition and offset, up to the ends as of now.
    pub(super) fn each(
        &mut self,
        filter: &Filter,
        has_records: bool,
        mut take: impl FnMut(DeadLetterView) -> anyhow::Result<()>,
    ) -> anyhow::Result<Read> {
        let mut read = Read::default();
        let (mut partition, mut partitions) = (0, 1);
        while partition < partitions {
            let mut asked = LettersAsked {
                partition,
                from: 0,
                limit: PAGE_LETTERS,
                // All of them, so that they can be counted.
                reasons: Vec::new(),
                has_records,
            };
            if has_records {
                asked.reasons.clone_from(&filter.reasons);
            }
            let mut end = None;
            loop {
                let page = self.page(&asked)?;
                partitions = page.partitions;
                // Up to the end as of the first question, so that a busy log does not hold the command for ever.
                let end = *end.get_or_insert(page.end);
                let letters = page.dead_letters.into_iter();
                for letter in letters.take_while(|letter| letter.offset < end) {
                    if filter.limit.is_some_and(|limit| read.taken >= limit) {
                        read.is_cut = true;
                        return Ok(read);
                    }
                    read.all += 1;
                    if filter.takes(&letter) {
                        read.taken += 1;
                        take(letter)?;
                    }
                }
                asked.from = page.offset_next;
                if asked.from >= end {
                    break;
                }
            }
            partition += 1;
        }
        Ok(read)
    }

    fn page(&mut self, asked: &LettersAsked) -> anyhow::Result<DeadLettersView> {
        match self {
            Self::Log(reader) => {
                let found = pages::page(reader.as_mut(), asked, RECORD_BYTES_MAX)?;
                match (found.problem(asked.partition, asked.from), found) {
                    (None, LettersLookup::Found(view)) => Ok(view),
                    (problem, _) => Err(Failed(problem.unwrap_or_default()).into()),
                }
            }
            Self::Instance(instance) => {
                let reasons = asked.reasons.iter();
                let reasons: String = reasons.map(|reason| format!("&reason={reason}")).collect();
                let LettersAsked {
                    partition,
                    from,
                    limit,
                    has_records,
                    ..
                } = asked;
                let path = format!(
                    "/v1/dead-letters?partition={partition}&from={from}&limit={limit}&records={has_records}{reasons}"
                );
                Ok(instance.ask(&path)?)
            }
        }
    }
}
