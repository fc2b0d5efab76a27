//! The economic models, one a file, and their registry: adding a model is its file and one row here.

pub mod build;
pub mod decision;
pub mod decline;
pub mod demand;
pub mod die;
pub mod die_shape;
pub mod llm;
pub mod package;
pub mod programme;
pub mod serving;
pub mod serving_cost;
pub mod serving_engine;
pub mod serving_format;
pub mod serving_search;
pub mod training;
pub mod training_dates;

use crate::engine::RunModel;
use crate::gradient::RunDual;
use crate::variable::{Model, Variable, needs};

/// A model as the plan and the engine see it.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub about: &'static [&'static str],
    pub owned: &'static [Variable],
    pub inputs: &'static [&'static str],
    pub choices: &'static [&'static str],
    pub outputs: &'static [Variable],
    pub together: &'static [&'static [(&'static str, f64)]],
    pub run: RunModel,
    pub run_dual: RunDual,
    pub needs: fn(given: u64, choices: &[u8]) -> Vec<u128>,
}

const fn entry<M: Model>() -> Entry {
    Entry {
        name: M::NAME,
        about: M::ABOUT,
        owned: M::OWNED,
        inputs: M::INPUTS,
        choices: M::CHOICES,
        outputs: M::OUTPUTS,
        together: M::TOGETHER,
        run: M::run,
        run_dual: M::run_dual,
        needs: needs::<M>,
    }
}

/// In the order in which alternatives are tried.
pub const MODELS: &[Entry] = &[
    entry::<llm::Llm>(),
    entry::<serving_format::ServingFormat>(),
    entry::<serving_engine::ServingEngine>(),
    entry::<serving_engine::speculation::Speculation>(),
    entry::<serving_search::ServingSearch>(),
    entry::<serving::Serving>(),
    entry::<serving_cost::ServingCost>(),
    entry::<training_dates::TrainingDates>(),
    entry::<training::Training>(),
    entry::<die_shape::DieShape>(),
    entry::<die::Die>(),
    entry::<package::Package>(),
    entry::<programme::Programme>(),
    entry::<demand::by_spend::DemandBySpend>(),
    entry::<demand::by_ratio::DemandByRatio>(),
    entry::<demand::Demand>(),
    entry::<build::Build>(),
    entry::<decision::BuildOrBuy>(),
    entry::<decline::Decline>(),
];

/// Variables that several models may compute, the first that can.
pub const ALTERNATIVES: &[&str] = &["build_units_per_year"];
