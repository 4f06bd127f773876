//! `Merge`: for each input row the rows of a pattern in the state so far, or a new one.

use std::sync::Arc;

use super::{BoxOperator, JoinShape, JoinTable, Operator, drain};
use crate::batch::Batch;
use crate::execute::changes::Changes;
use crate::execute::physical_plan::Planner;
use crate::execute::writer::Writer;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::{Change, LogicalPlan, Variable};

pub struct Merge {
    context: Arc<Context>,
    planner: Planner,
    input: BoxOperator,
    pattern: LogicalPlan,
    /// For EXPLAIN: the pattern over no rows.
    sample: BoxOperator,
    create: Changes,
    on_match: Changes,
    on_create: Changes,
    layout: Layout,
    rows: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl Merge {
    pub fn new(
        input: BoxOperator,
        pattern: &LogicalPlan,
        create: &[Change],
        (on_match, on_create): (&[Change], &[Change]),
        planner: &Planner,
    ) -> Result<Merge, ExecuteError> {
        let context = planner.context().clone();
        let nothing = Arc::new(Batch::empty(input.layout().width()));
        let sample = planner.with_argument(input.layout().clone(), nothing).build(pattern)?;
        let mut layout = JoinShape::optional(input.layout(), sample.layout()).layout;
        // What a row binds when it is created, it also binds when it is found.
        let create = Changes::compile(create, &layout, &context)?;
        layout = create.layout().clone();
        let on_match = Changes::compile(on_match, &layout, &context)?;
        let on_create = Changes::compile(on_create, &layout, &context)?;
        let reservation = context.reserve();
        Ok(Merge {
            context,
            planner: planner.clone(),
            input,
            pattern: pattern.clone(),
            sample,
            create,
            on_match,
            on_create,
            layout,
            rows: None,
            position: 0,
            reservation,
        })
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let input = drain(self.input.as_mut(), &self.context, &mut self.reservation)?;
        let mut writer = Writer::new(self.context.clone())?;
        let mut merged = Batch::empty(self.layout.width());
        let mut row = Vec::new();
        for index in 0..input.rows() {
            self.context.check()?;
            let own = input.slice(index, 1);
            let found = self.matches(&own)?;
            if found.is_empty() {
                own.read_row(0, &mut row);
                row.resize(self.layout.width(), TermId::UNDEFINED);
                writer.forbids_null = true;
                self.create.apply(&mut row, &mut writer, &self.context)?;
                writer.forbids_null = false;
                row.truncate(self.layout.width());
                self.on_create.apply(&mut row, &mut writer, &self.context)?;
                merged.push_row(&row[..self.layout.width()]);
                continue;
            }
            for match_index in 0..found.rows() {
                found.read_row(match_index, &mut row);
                row.resize(self.layout.width(), TermId::UNDEFINED);
                self.on_match.apply(&mut row, &mut writer, &self.context)?;
                merged.push_row(&row[..self.layout.width()]);
            }
        }
        writer.end_clause()?;
        self.context.count(&writer.summary);
        Ok(merged)
    }

    /// Returns the input row joined with each row of the pattern.
    fn matches(&self, own: &Batch) -> Result<Batch, ExecuteError> {
        let layout = self.input.layout();
        let planner = self.planner.with_argument(layout.clone(), Arc::new(own.clone()));
        let mut operator = planner.build(&self.pattern)?;
        let mut reservation = self.context.reserve();
        let rows = drain(operator.as_mut(), &self.context, &mut reservation)?;
        // The columns of a fresh plan may stand in another order than those of the sample.
        let variables: &[Variable] = self.sample.layout().variables();
        let columns = variables.iter().map(|variable| match operator.layout().column(*variable) {
            Some(column) => rows.column(column).to_vec(),
            None => vec![TermId::UNDEFINED; rows.rows()],
        });
        let rows = Batch::new(columns.collect(), rows.rows());
        let shape = JoinShape::optional(layout, self.sample.layout());
        let mut joined = Batch::empty(shape.layout.width());
        let mut table = JoinTable::build(rows, self.sample.layout(), layout);
        table.start(Arc::new(own.clone()), false);
        while let Some(pairs) = table.next_pairs(&self.context)? {
            joined.append(&shape.join(own, &pairs, table.rows()));
        }
        Ok(joined)
    }
}

impl Operator for Merge {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.rows.is_none() {
            self.rows = Some(self.run()?);
        }
        let Some(all) = &self.rows else { return Ok(None) };
        Ok(all.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        "Merge".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref(), self.sample.as_ref()]
    }
}
