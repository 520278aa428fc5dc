//! The flags that say what the rows of a file of orders are, the same in `replay` and `churn fit`.

use crate::cli::exit::CallError;
use crate::config::settings::Settings;
use crate::dataset::Options;
use crate::dataset::replay::Context;
use crate::dataset::replay::Format;
use crate::dataset::replay::OrderIds;
use crate::domain::order_rows::Lines;
use crate::domain::time::Timestamp;

/// What the rows of a file of orders are.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OrderArgs {
    /// For `orders`: the rows are lines of orders. `sum` adds up the lines that have one customer and one order id, wherever
    /// they are in the file; without it, two rows of one order must be equal.
    #[arg(long, value_enum)]
    lines: Option<LinesArg>,
    /// For `orders`: the file has no order ids. `row` makes one of what each row says and of its number among equal rows, so a
    /// file that has rows of an earlier one changes nothing by them.
    #[arg(long, value_enum)]
    order_id: Option<OrderIdArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LinesArg {
    Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OrderIdArg {
    Row,
}

impl OrderArgs {
    /// The rows are lines of orders.
    #[must_use]
    pub fn is_sum(self) -> bool {
        self.lines.is_some()
    }

    /// Order ids are made of what the rows say.
    #[must_use]
    pub fn has_row_ids(self) -> bool {
        self.order_id.is_some()
    }

    /// What is needed to make events of the rows of a file.
    ///
    /// # Errors
    /// If a flag does not apply to the format, or two contradict each other.
    pub fn context(
        self,
        format: Format,
        settings: &Settings,
        options: &Options,
        as_of: Option<Timestamp>,
    ) -> anyhow::Result<Context> {
        let is_named = |name: &str| options.columns.header_of(name).is_some();
        let is_product = is_named("quantity") || is_named("price");
        let is_row = self.order_id.is_some();
        let orders_only = " says what the rows of --format orders are";
        let problem = match format {
            Format::Orders if is_row && self.lines.is_some() => Some(
                "--lines sum adds up the rows that have one order id, and --order-id row is for files without: give one of them"
                    .to_owned(),
            ),
            Format::Orders if is_row && is_named("order_id") => Some(
                "--order-id row is for files without order ids, and --columns names one: leave one of them out".to_owned(),
            ),
            Format::Orders if is_product && is_named("revenue") => Some(
                "--columns names revenue and also quantity or price: the amount is the revenue, or quantity x price".to_owned(),
            ),
            Format::Orders => None,
            Format::Cdnow | Format::Jsonl | Format::Customers | Format::Marketing if self.lines.is_some() => Some(format!("--lines{orders_only}")),
            Format::Cdnow | Format::Jsonl | Format::Customers | Format::Marketing if is_row => Some(format!("--order-id{orders_only}")),
            Format::Cdnow | Format::Jsonl | Format::Customers | Format::Marketing => None,
        };
        let as_of_problem = (as_of.is_some() && format != Format::Customers).then(|| {
            "--as-of says as of when the rows of --format customers hold; other rows state their time".to_owned()
        });
        if let Some(problem) = problem.or(as_of_problem) {
            return Err(CallError(problem).into());
        }
        let base = settings.intake.exchange.base;
        Ok(Context {
            as_of,
            lines: self.lines.map_or(Lines::Orders, |LinesArg::Sum| Lines::Sum),
            order_ids: self
                .order_id
                .map_or(OrderIds::Column, |OrderIdArg::Row| OrderIds::Row),
            customer_ids_ignored: settings.intake.customer_ids_ignored.clone(),
            ..Context::new(base, settings.time.business_zone.clone())
        })
    }
}
