//! A line of `state export`. docs/COMMAND_LINE.md, Fields of an export.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::change::Timestamped;
use crate::domain::event::Channel;
use crate::domain::time::Timestamp;
use crate::engine::assignment::current_segment;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;
use crate::model::evaluation::Evaluation;
use crate::model::segment_model::SegmentModel;
use crate::view::evaluated::ChurnRiskView;
use crate::view::evaluated::Evaluated;

/// The fields of an export. A field that does not apply is absent, never null.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExportLine {
    /// The customer.
    pub customer_id: String,
    /// Segment, if assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_id: Option<String>,
    /// The model of the assignment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// Number of the last change.
    pub sequence: u64,
    /// Accepted orders.
    pub orders: u64,
    /// Distinct days with an order, in the business zone.
    pub purchase_days: u32,
    /// Accepted orders of the web channel.
    pub web_purchases: u32,
    /// Accepted orders of the store channel.
    pub store_purchases: u32,
    /// Accepted orders of the catalogue channel.
    pub catalog_purchases: u32,
    /// Orders with a coupon or a discount.
    pub deal_purchases: u32,
    /// Net spend, as a decimal.
    pub total_spending: String,
    /// The base currency.
    pub currency: String,
    /// First purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_purchase_at: Option<Timestamped>,
    /// Last purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_purchase_at: Option<Timestamped>,
    /// The last evaluation of the customer, by an event or a deadline.
    pub evaluated_at: Timestamped,
    /// The instant of all values that depend on time: features, confidence, next change and churn risk.
    pub as_of: Timestamped,
    /// Spend by category, as decimals.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spend_by_category: BTreeMap<String, String>,
    /// Calendar year of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_year: Option<i32>,
    /// Yearly income, as a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub income: Option<String>,
    /// Joining date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamped>,
    /// Raw values before caps of the features that are known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, f64>,
    /// Confidence of the committed segment, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// When the segment changes if nothing happens until then; absent where that is not within the horizon after `as_of`.
    /// At or before `as_of` where the change is due and not committed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_change_at: Option<Timestamped>,
    /// The churn risk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn_risk: Option<ChurnRiskView>,
}

/// The line of one customer as of an instant, which is not before its last evaluation.
#[must_use]
pub fn export_line(
    customer_id: &str,
    record: &CustomerRecord,
    as_of: Timestamp,
    rules: Rules<'_>,
) -> ExportLine {
    let evaluated = Evaluated::of(customer_id, record, as_of, rules);
    ExportLine::of(customer_id, record, &evaluated, rules)
}

impl ExportLine {
    pub(super) fn of(
        customer_id: &str,
        record: &CustomerRecord,
        evaluated: &Evaluated,
        rules: Rules<'_>,
    ) -> Self {
        let Rules { policy, model } = rules;
        let base = policy.base_currency;
        let aggregate = &record.aggregate;
        let totals = aggregate.ledger.totals_since(None);
        let assigned = record.assignment.as_ref();
        let purchases = aggregate.purchases;
        let profile = &aggregate.profile;
        let spend_by_category = aggregate.categories.by_name().into_iter();
        Self {
            customer_id: customer_id.to_owned(),
            segment_id: assigned.map(|assigned| assigned.segment_id.to_string()),
            model_version: assigned.map(|assigned| assigned.model_version.to_string()),
            sequence: record.sequence,
            orders: totals.orders.total(),
            purchase_days: totals.days,
            web_purchases: totals.orders.of(Channel::Web),
            store_purchases: totals.orders.of(Channel::Store),
            catalog_purchases: totals.orders.of(Channel::Catalog),
            deal_purchases: totals.deal_orders,
            total_spending: totals.spend.to_decimal(&base),
            currency: base.to_string(),
            first_purchase_at: purchases.map(|span| Timestamped(span.first_at)),
            last_purchase_at: purchases.map(|span| Timestamped(span.last_at)),
            evaluated_at: Timestamped(record.evaluated_at),
            as_of: Timestamped(evaluated.as_of),
            spend_by_category: spend_by_category
                .map(|(category, spend)| (category.to_owned(), spend.to_decimal(&base)))
                .collect(),
            birth_year: profile.birth_year.as_ref().map(|fact| fact.value),
            income: profile
                .income
                .as_ref()
                .map(|fact| fact.value.to_plain_decimal(&base)),
            joined_at: profile
                .joined_at
                .as_ref()
                .map(|fact| Timestamped(fact.value)),
            features: known_features(&evaluated.evaluation, model),
            // Never that of another segment.
            confidence: current_segment(record, model)
                .map(|_| evaluated.evaluation.placement.confidence()),
            next_change_at: evaluated.next_change_at(),
            churn_risk: evaluated.churn_risk,
        }
    }
}

/// Raw values before caps, without those filled from a median.
fn known_features(evaluation: &Evaluation, model: &SegmentModel) -> BTreeMap<String, f64> {
    let values = evaluation.raw.iter().zip(&evaluation.is_imputed);
    let features = model.features().iter().zip(values);
    features
        .filter(|(_, (_, imputed))| !**imputed)
        .map(|(feature, (value, _))| (feature.name.to_string(), *value))
        .collect()
}
