//! What HTTP asks for, answered by the engine's parts.

use std::sync::Arc;

use serde_json::json;

use crate::cli::customer_view::churn_risk;
use crate::cli::customer_view::evaluation;
use crate::cli::customer_view::export_line;
use crate::cli::customer_view::next_change;
use crate::cli::summary::customers_by_segment;
use crate::domain::churn::RiskMethod;
use crate::domain::event::EventCustomer;
use crate::domain::event::parse::parse;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::record::CustomerRecord;
use crate::http::EventIntake;
use crate::http::Lookup;
use crate::http::Queries;
use crate::http::Receipt;
use crate::http::RefusedLine;
use crate::http::SegmentView;
use crate::http::SegmentsView;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::log::partitioner::partition_of;
use crate::model::segment_model::SegmentModel;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partitions::Phase;

/// Reads what the workers have committed.
#[derive(Debug)]
pub struct CommittedState {
    /// What the workers share.
    pub shared: Arc<Shared>,
    /// Number of partitions.
    pub partitions: u32,
    /// All of them are this process's; else other instances have the rest.
    pub owns_all: bool,
}

impl Queries for CommittedState {
    fn customer(&self, customer_id: &str) -> Result<Lookup, String> {
        let partition = partition_of(customer_id.as_bytes(), self.partitions);
        let Some(Phase::Running(store)) = self.shared.partitions.phase(partition) else {
            return Ok(Lookup::Restoring);
        };
        let Some(record) = store.get(customer_id).map_err(|error| error.to_string())? else {
            return Ok(Lookup::Unknown);
        };
        let (model, policy) = (&self.shared.model, &self.shared.policy);
        let record = as_of_now(record, store.checkpoint().and_then(|last| last.clock));
        let line = export_line(customer_id, &record, model, policy);
        let mut view = serde_json::to_value(line).map_err(|error| error.to_string())?;
        let evaluation = evaluation(&record, model, policy);
        let more = record.assignment.as_ref().and_then(|assigned| {
            let segment = model
                .segments()
                .get(model.segment_index(&assigned.segment_id)?)?;
            let runner_up = evaluation.placement.runner_up.and_then(|other| {
                let segment = model.segments().get(other.segment)?;
                let distance = other.distance_squared.sqrt();
                Some(json!({"segment_id": segment.id, "distance": distance}))
            });
            Some(json!({
                "segment": {
                    "id": segment.id, "name": segment.name, "description": segment.description,
                    "since": assigned.since.to_string(),
                },
                "runner_up": runner_up,
                "explanation": evaluation.explanation(model),
                "imputed": evaluation.imputed(model),
            }))
        });
        if let (Some(view), Some(serde_json::Value::Object(more))) = (view.as_object_mut(), more) {
            view.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let more = time_view(customer_id, &record, model, policy);
        if let (Some(view), serde_json::Value::Object(more)) = (view.as_object_mut(), more) {
            view.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Ok(Lookup::Found(Box::new(view)))
    }

    fn segments(&self) -> SegmentsView {
        let model = &self.shared.model;
        let counts = customers_by_segment(&self.shared);
        let view = |segment: &crate::model::segment_model::Segment| SegmentView {
            id: segment.id.to_string(),
            name: segment.name.to_string(),
            description: segment.description.clone(),
            share: segment.share,
            profile: model
                .features()
                .iter()
                .zip(&segment.profile)
                .map(|(feature, value)| (feature.name.to_string(), *value))
                .collect(),
            customers: counts.get(segment.id.as_str()).copied().unwrap_or(0),
        };
        SegmentsView {
            model_version: model.facts().version.to_string(),
            trained_at: model.facts().trained_at.0.to_string(),
            segments: model.segments().iter().map(view).collect(),
        }
    }

    fn metrics(&self) -> Result<String, String> {
        self.shared
            .metrics
            .render()
            .map_err(|error| error.to_string())
    }

    fn waiting_for(&self) -> Vec<String> {
        let visible = self.shared.partitions.visible();
        if visible.is_empty() {
            return vec!["no partition is assigned yet".to_owned()];
        }
        (0..self.partitions)
            .filter(|number| match visible.get(&Partition(*number)) {
                Some(Phase::Running(_)) => false,
                Some(Phase::Restoring) => true,
                None => self.owns_all,
            })
            .map(|number| format!("partition {number}"))
            .collect()
    }
}

/// The record as of the partition's clock, or just before its deadline if that has come and was not looked at
/// yet: segment and band are those of the record until then.
fn as_of_now(mut record: CustomerRecord, clock: Option<Timestamp>) -> CustomerRecord {
    let until = record.deadline.map(|at| at.plus_milliseconds(-1));
    let now = clock.map(|clock| until.map_or(clock, |until| clock.min(until)));
    record.evaluated_at = record.evaluated_at.max(now.unwrap_or(record.evaluated_at));
    record
}

/// What time alone will bring, and how likely the customer is lost and what that rests on.
fn time_view(
    customer_id: &str,
    record: &CustomerRecord,
    model: &SegmentModel,
    policy: &Policy,
) -> serde_json::Value {
    let next_change = next_change(customer_id, record, model, policy).map(|foreseen| {
        let change = foreseen.change;
        json!({
            "at": foreseen.at.to_string(),
            "to": {"id": change.current.segment_id, "name": change.current.segment_name},
            "reason": change.reason,
        })
    });
    let churn_risk = churn_risk(record, model, policy).map(|risk| {
        let basis = match risk.method {
            RiskMethod::Silence => None,
            RiskMethod::MbgNbd | RiskMethod::BgNbd => model.churn().map(|churn| churn.basis),
        };
        let mut view = json!(risk);
        if let (Some(view), Some(basis)) = (view.as_object_mut(), basis) {
            view.insert("basis".to_owned(), json!(basis.as_str()));
        }
        view
    });
    json!({"next_change": next_change, "churn_risk": churn_risk})
}

/// Takes events into the embedded log.
#[derive(Debug)]
pub struct LogIntake {
    /// The log.
    pub log: EmbeddedLog,
    /// The rules and the clock.
    pub shared: Arc<Shared>,
}

impl EventIntake for LogIntake {
    fn accept(&self, lines: Vec<Vec<u8>>) -> Result<Receipt, String> {
        let wall = self.shared.wall.now();
        let mut receipt = Receipt::default();
        let mut records = Vec::with_capacity(lines.len());
        for (number, payload) in (1..).zip(lines) {
            match parse(&payload, wall, &self.shared.intake) {
                Ok(event) => {
                    let key = match &event.customer {
                        EventCustomer::Known(customer_id) => Some(customer_id.as_bytes().to_vec()),
                        EventCustomer::Guest => None,
                    };
                    // With the event clock the log's time is the shop's, not ours.
                    let timestamp = match self.shared.clock_rules.mode {
                        ClockMode::Wall => wall,
                        ClockMode::Event => event.occurred_at,
                    };
                    records.push(InputRecord {
                        timestamp: Some(timestamp),
                        key,
                        payload,
                    });
                }
                Err(invalid) => receipt.refused.push(RefusedLine {
                    line: number,
                    reason: invalid.reason.as_str(),
                    detail: invalid.detail,
                }),
            }
        }
        receipt.accepted = records.len();
        if !records.is_empty() {
            self.log
                .append(records, None)
                .map_err(|error| error.to_string())?;
        }
        Ok(receipt)
    }
}
