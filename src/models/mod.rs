//! The economic models, one a file, and their registry: adding a model is its file and one row here.

pub mod alignment;
pub mod alignment_gain;
pub mod alignment_search;
pub mod build;
pub mod build_dual;
pub mod build_month;
pub mod cadence;
pub mod decision;
pub mod decline;
pub mod demand;
pub mod demand_month;
pub mod die;
pub mod die_shape;
pub mod expansion;
pub mod expansion_threshold;
pub mod fleet;
pub mod fleet_cost;
pub mod fleet_decline;
pub mod fleet_steady;
pub mod flexibility;
pub mod flexibility_constant_price;
pub mod gemm;
pub mod gemm_kernels;
pub mod gemm_tiling;
pub mod inference;
pub mod lab;
pub mod lab_generations;
pub mod lab_shares;
pub mod leverage;
pub mod leverage_beside;
pub mod llm;
pub mod own_cost;
pub mod own_load;
pub mod own_performance;
pub mod own_power;
pub mod own_rent;
pub mod package;
pub mod programme;
pub mod scaling;
pub mod scaling_size;
pub mod scaling_tokens;
pub mod serving;
pub mod serving_cost;
pub mod serving_engine;
pub mod serving_format;
pub mod serving_search;
pub mod specialization;
pub mod speed;
pub mod speed_labor;
pub mod speed_line;
pub mod speed_observed;
pub mod speed_response;
pub mod speed_revenue;
pub mod speed_serving;
pub mod speed_share;
pub mod step;
pub mod step_flop;
pub mod step_layout;
pub mod step_memory;
pub mod training;
pub mod training_dates;

use crate::gradient::RunDual;
use crate::instances;
use crate::kernel::RunModel;
use crate::variable::{Model, Reads, Variable, needs};
use std::sync::LazyLock;

/// A model as the plan and the engine see it.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub file: &'static str,
    pub page: &'static str,
    pub body: [&'static str; 3],
    pub about: &'static [&'static str],
    pub owned: &'static [Variable],
    pub inputs: &'static [&'static str],
    pub choices: &'static [&'static str],
    pub outputs: &'static [Variable],
    pub together: &'static [&'static [(&'static str, f64)]],
    pub run: RunModel,
    pub run_dual: RunDual,
    pub needs: fn(given: u64, choices: &[u8]) -> Vec<Reads>,
    /// Of a model that runs again for a further chip: the one whose code it runs, with its variables in the same order.
    pub of: Option<&'static Entry>,
    /// Whether each output is the input at its place, and that only where the caller gives the input.
    pub follows: bool,
}

const fn entry<M: Model>() -> Entry {
    Entry {
        name: M::NAME,
        file: M::FILE,
        page: M::PAGE,
        body: M::BODY,
        about: M::ABOUT,
        owned: M::OWNED,
        inputs: M::INPUTS,
        choices: M::CHOICES,
        outputs: M::OUTPUTS,
        together: M::TOGETHER,
        run: M::run,
        run_dual: M::run_dual,
        needs: needs::<M>,
        of: None,
        follows: false,
    }
}

/// All models, in the order in which alternatives are tried. Those that run again for further chips come last.
pub static MODELS: LazyLock<Vec<Entry>> = LazyLock::new(|| instances::with_further_chips(DECLARED));

const DECLARED: &[Entry] = &[
    entry::<llm::Llm>(),
    entry::<serving_format::ServingFormat>(),
    entry::<serving_engine::ServingEngine>(),
    entry::<serving_engine::speculation::Speculation>(),
    entry::<serving_search::ServingSearch>(),
    entry::<serving::Serving>(),
    entry::<serving_cost::ServingCost>(),
    entry::<gemm_kernels::GemmKernels>(),
    entry::<gemm::Gemm>(),
    entry::<gemm_tiling::GemmTiling>(),
    entry::<alignment::Alignment>(),
    entry::<alignment_search::AlignmentSearch>(),
    entry::<alignment_gain::AlignmentGain>(),
    entry::<scaling::coefficients::ScalingCoefficients>(),
    entry::<scaling::prices::ScalingPrices>(),
    entry::<scaling_tokens::by_loss::TokensByLoss>(),
    entry::<scaling_tokens::by_flop::TokensByFlop>(),
    entry::<scaling_size::by_loss::ScalingByLoss>(),
    entry::<scaling_size::by_flop::ScalingByFlop>(),
    entry::<scaling::Scaling>(),
    entry::<step_layout::StepLayout>(),
    entry::<step_flop::StepFlop>(),
    entry::<step_memory::StepMemory>(),
    entry::<step::Step>(),
    entry::<training_dates::TrainingDates>(),
    entry::<training::Training>(),
    entry::<die_shape::DieShape>(),
    entry::<die::Die>(),
    entry::<package::Package>(),
    entry::<programme::Programme>(),
    entry::<demand::by_spend::DemandBySpend>(),
    entry::<demand::by_tokens::DemandByTokens>(),
    entry::<demand::by_ratio::DemandByRatio>(),
    entry::<demand::Demand>(),
    entry::<inference::Inference>(),
    entry::<demand_month::DemandMonth>(),
    entry::<build::Build>(),
    entry::<build_month::BuildMonth>(),
    entry::<build_dual::BuildDual>(),
    entry::<own_cost::OwnCost>(),
    Entry { follows: true, ..entry::<own_load::OwnLoad>() },
    entry::<own_rent::power_ratio::OwnPowerRatio>(),
    entry::<own_rent::OwnRent>(),
    entry::<own_performance::OwnPerformance>(),
    entry::<own_power::OwnPower>(),
    entry::<leverage::Leverage>(),
    entry::<leverage_beside::LeverageBeside>(),
    entry::<decision::dual::Dual>(),
    entry::<decision::four_ways::FourWays>(),
    entry::<decision::or_threaten::BuildBuyOrThreaten>(),
    entry::<decision::or_both::BuildBuyOrBoth>(),
    entry::<decision::build_or_buy::BuildOrBuy>(),
    entry::<decline::Decline>(),
    entry::<expansion_threshold::by_build::ExpansionByBuild>(),
    entry::<expansion_threshold::by_delay::ExpansionByDelay>(),
    entry::<expansion::Expansion>(),
    entry::<speed_observed::price::SpeedFromPrice>(),
    entry::<speed_observed::delay::SpeedFromDelay>(),
    entry::<speed_observed::cost::SpeedFromCost>(),
    entry::<speed::Speed>(),
    entry::<speed_line::SpeedLine>(),
    entry::<speed_serving::SpeedServing>(),
    entry::<speed_response::SpeedResponse>(),
    entry::<speed_revenue::SpeedRevenue>(),
    entry::<speed_labor::SpeedLabor>(),
    entry::<speed_share::SpeedShare>(),
    entry::<cadence::Cadence>(),
    entry::<specialization::Specialization>(),
    entry::<flexibility::Flexibility>(),
    entry::<flexibility_constant_price::FlexibilityConstantPrice>(),
    entry::<lab_shares::tokens::LabTokens>(),
    entry::<lab_shares::LabShares>(),
    entry::<lab::Lab>(),
    entry::<lab_generations::LabGenerations>(),
    entry::<fleet_cost::FleetCost>(),
    entry::<fleet_decline::FleetDecline>(),
    entry::<fleet::Fleet>(),
    entry::<fleet_steady::FleetSteady>(),
];

/// Variables that several models may compute, the first that can.
pub const ALTERNATIVES: &[&str] = &[
    "asic_serve_attention_weight_bytes",
    "asic_serve_concurrency",
    "asic_serve_dense_weight_bytes",
    "asic_serve_expert_weight_bytes",
    "asic_serve_head_weight_bytes",
    "asic_serve_tokens_per_step",
    "build_units_per_year",
    "decision",
    "decision_margin_usd",
    "decision_runner_up",
    "expansion_threshold_usd",
    "lifetime_inference_usd",
    "llm_active_params",
    "llm_params",
    "speed_cost_ratio",
    "speed_status",
    "train_tokens",
];

/// The model that CONTRIBUTING.md shows.
#[cfg(test)]
#[path = "../../tests/fixtures/example_model.rs"]
#[allow(dead_code, reason = "its outputs are stored, but it is in no plan")]
mod example;

#[cfg(test)]
mod tests {
    use super::{MODELS, entry, example::Rented};
    use crate::plan::Registry;
    use crate::trial::evaluate;

    #[test]
    fn the_example_of_a_model_works_as_shown() {
        let guide = include_str!("../../CONTRIBUTING.md");
        assert!(guide.contains(include_str!("../../tests/fixtures/example_model.rs")), "CONTRIBUTING.md shows another");
        let answers = evaluate::<Rented>(&[("train_chip_hours", 1e6), ("rented_usd_per_hour", 2.5)], &[]);
        assert_eq!(answers["rented_cost_usd"].to_bits(), 2.5e6_f64.to_bits());
        // Its row in the registry: names, units and wiring are checked there.
        let registry = Registry::new([&MODELS[..], &[entry::<Rented>()]].concat().leak());
        assert!(registry.ids.contains_key("rented_cost_usd"));
    }
}
